package telemetry

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"
)

const checkWait = 2 * time.Second

// Health is a process's readiness, with the reasons against it. The zero value is ready. Safe for concurrent use.
type Health struct {
	mu     sync.Mutex
	checks map[string]func(context.Context) error
	down   map[string]string // reason by name
	notes  map[string]func() string
}

// Check adds a named check, which runs at each call of Reasons, for 2 s at most.
func (h *Health) Check(name string, check func(context.Context) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.checks == nil {
		h.checks = map[string]func(context.Context) error{}
	}
	h.checks[name] = check
}

// Note adds what an operator should know of a process that is ready all the same; empty is nothing. It is public.
func (h *Health) Note(name string, note func() string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.notes == nil {
		h.notes = map[string]func() string{}
	}
	h.notes[name] = note
}

// Notes returns the notes by name.
func (h *Health) Notes() map[string]string {
	h.mu.Lock()
	all := maps.Clone(h.notes)
	h.mu.Unlock()
	notes := map[string]string{}
	for name, note := range all {
		if text := note(); text != "" {
			notes[name] = text
		}
	}
	return notes
}

// SetReady removes the reason that SetNotReady set under the name.
func (h *Health) SetReady(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.down, name)
}

// SetNotReady holds until SetReady. The reason is public: it must contain no secret.
func (h *Health) SetNotReady(name, reason string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.down == nil {
		h.down = map[string]string{}
	}
	h.down[name] = reason
}

// Reasons returns, by name, why the process is not ready; empty if it is.
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
				if _, known := reasons[name]; !known {
					reasons[name] = err.Error()
				}
			}
		})
	}
	wg.Wait()
	return reasons
}

// run counts a panic as a failure, so that a probe cannot end the process.
func run(ctx context.Context, check func(context.Context) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the check panicked: %v", r)
		}
	}()
	return check(ctx)
}
