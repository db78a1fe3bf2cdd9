package turn

import (
	"sync"
	"time"

	"github.com/chatlane/chatlane/internal/lane"
)

// heldLanes are the lanes that a limit of sending holds or has held: that makes none of their updates stale.
type heldLanes struct {
	mu    sync.Mutex
	until map[lane.Key]time.Time
	prune int
}

const (
	leastHeld = 1024
	heldAge   = time.Hour // a lane is forgotten when it has not been held for so long
)

func (h *heldLanes) add(k lane.Key, until time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.until == nil {
		h.until = make(map[lane.Key]time.Time)
	}
	if len(h.until) >= max(h.prune, leastHeld) {
		for k, until := range h.until {
			if time.Since(until) > heldAge {
				delete(h.until, k)
			}
		}
		h.prune = 2 * len(h.until)
	}
	h.until[k] = until
}

// after reports whether the lane was held after a time.
func (h *heldLanes) after(k lane.Key, t time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.until[k].After(t)
}
