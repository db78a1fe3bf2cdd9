package ingress

import (
	"sync"
	"time"
)

// hush lets one log line pass in a while, and counts those it held back, so that
// an outage or an attack does not flood the log. The metrics count each one.
type hush struct {
	every time.Duration

	mu   sync.Mutex
	last time.Time
	held int
}

// pass says whether to log now, and how many lines were held back since the last.
func (h *hush) pass() (held int, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if !h.last.IsZero() && now.Sub(h.last) < h.every {
		h.held++
		return 0, false
	}
	held, h.held, h.last = h.held, 0, now
	return held, true
}
