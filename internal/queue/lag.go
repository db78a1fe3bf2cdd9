package queue

import (
	"context"
	"time"
)

// countAfter is how old the last count of what waits at the broker may get while
// the window is full: no delivery brings a newer one then.
const countAfter = 5 * time.Second

// measure shows how far the partition is behind: what waits, and since when.
func (t *term) measure(ctx context.Context) {
	held, age := t.held()
	t.o.metrics.oldest.WithLabelValues(label(t.p)).Set(age.Seconds())
	if full := held >= t.o.cfg.Window; !full && t.pending == 0 || time.Since(t.counted) < countAfter {
		return
	}
	info, err := t.o.info(ctx, t.p)
	if err != nil {
		return // the next tick asks again; a broker that stays away ends the term
	}
	t.waiting(info.NumPending)
}

// waiting notes the number of updates that are not delivered yet.
func (t *term) waiting(n uint64) {
	t.pending, t.counted = n, time.Now()
	t.o.metrics.pending.WithLabelValues(label(t.p)).Set(float64(n))
}

// held is the number of unfinished updates in the window, and the age of the oldest.
func (t *term) held() (n int, oldest time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, d := range t.open {
		oldest = max(oldest, d.Age())
	}
	return len(t.open), oldest
}
