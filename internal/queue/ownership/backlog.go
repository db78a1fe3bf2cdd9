package ownership

import (
	"context"
	"time"
)

// countAfter limits the age of the last count while the window is full: no delivery brings a newer one then.
const countAfter = 5 * time.Second

type backlog struct {
	pending uint64
	counted time.Time
}

func (t *term) measure(ctx context.Context) {
	held, age := t.parking.Unfinished()
	t.o.metrics.oldest.WithLabelValues(label(t.p)).Set(age.Seconds())
	full := held >= t.o.cfg.Window
	if !full && t.backlog.pending == 0 || time.Since(t.backlog.counted) < countAfter {
		return
	}
	info, err := t.o.info(ctx, t.p)
	if err != nil {
		return // the next tick asks again; a longer silence ends the term
	}
	t.setPending(info.NumPending)
}

func (t *term) setPending(n uint64) {
	t.backlog = backlog{pending: n, counted: time.Now()}
	t.o.metrics.pending.WithLabelValues(label(t.p)).Set(float64(n))
}
