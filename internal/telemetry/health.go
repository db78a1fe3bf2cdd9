package telemetry

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"
)

// checkWait bounds one round of checks.
const checkWait = 2 * time.Second

// Health gathers whether a process is ready, and why not. The zero value is ready.
// Safe for concurrent use.
type Health struct {
	mu     sync.Mutex
	checks map[string]func(context.Context) error
	down   map[string]string // reason by name
}

// Check adds a named check that runs whenever readiness is asked for. It has 2 s.
func (h *Health) Check(name string, check func(context.Context) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.checks == nil {
		h.checks = map[string]func(context.Context) error{}
	}
	h.checks[name] = check
}

// SetReady takes back what SetNotReady said of the name.
func (h *Health) SetReady(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.down, name)
}

// SetNotReady makes the process not ready until SetReady. The reason is shown to
// whoever asks, so it holds no secret.
func (h *Health) SetNotReady(name, reason string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.down == nil {
		h.down = map[string]string{}
	}
	h.down[name] = reason
}

// Reasons says, by name, why the process is not ready: none if it is.
func (h *Health) Reasons(ctx context.Context) map[string]string {
	h.mu.Lock()
	reasons := map[string]string{}
	maps.Copy(reasons, h.down)
	checks := maps.Clone(h.checks)
	h.mu.Unlock()

	ctx, cancel := context.WithTimeout(ctx, checkWait)
	defer cancel()
	var wg sync.WaitGroup
	var mu sync.Mutex
	for name, check := range checks {
		wg.Go(func() {
			if err := run(ctx, check); err != nil {
				mu.Lock()
				defer mu.Unlock()
				if _, said := reasons[name]; !said {
					reasons[name] = err.Error()
				}
			}
		})
	}
	wg.Wait()
	return reasons
}

// run makes a check that panics one that fails: asking must not end the process.
func run(ctx context.Context, check func(context.Context) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the check panicked: %v", r)
		}
	}()
	return check(ctx)
}
