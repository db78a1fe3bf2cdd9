package simulator

import (
	"context"
	"sync"
	"time"
)

// ramp limits how fast Telegram opens connections to a webhook: at the start, and when the last success is
// more than 10 s old, one at a time and one in 2 s; after a success 20 a second with a burst of 10.
type ramp struct {
	strict bool

	mu       sync.Mutex
	open     int
	success  time.Time
	dialled  time.Time
	credit   float64
	creditAt time.Time
	changed  broadcast
}

const (
	rampCalm   = 10 * time.Second // without success: one connection only
	rampPause  = 2 * time.Second  // between such connections
	rampRate   = 20
	rampBurst  = 10
	rampCredit = time.Second / rampRate
)

func (r *ramp) wait(ctx context.Context) error {
	for {
		next := r.changed.next()
		pause := r.reserve(time.Now())
		if pause == 0 {
			return nil
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-next:
			t.Stop()
		case <-ctx.Done():
			t.Stop()
			return context.Cause(ctx)
		}
	}
}

func (r *ramp) reserve(now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !r.strict:
	case now.Sub(r.success) > rampCalm:
		if r.open > 0 {
			return rampPause
		}
		if pause := rampPause - now.Sub(r.dialled); pause > 0 {
			return pause
		}
	default:
		r.credit = min(rampBurst, r.credit+now.Sub(r.creditAt).Seconds()*rampRate)
		r.creditAt = now
		if r.credit < 1 {
			return max(time.Duration((1-r.credit)*float64(rampCredit)), time.Millisecond)
		}
		r.credit--
	}
	r.open++
	r.dialled = now
	return 0
}

func (r *ramp) succeeded(now time.Time) {
	if !r.strict {
		return
	}
	r.mu.Lock()
	calm := now.Sub(r.success) > rampCalm
	if calm {
		r.credit, r.creditAt = rampBurst, now
	}
	r.success = now
	r.mu.Unlock()
	if calm {
		r.changed.send()
	}
}

func (r *ramp) closed() {
	r.mu.Lock()
	r.open--
	r.mu.Unlock()
	r.changed.send()
}
