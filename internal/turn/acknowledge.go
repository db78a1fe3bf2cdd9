package turn

import (
	"context"
	"iter"
	"time"

	"github.com/chatlane/chatlane/internal/queue"
)

func (t *task) acknowledge(ctx context.Context) (progress, error) {
	t.ackAll(ctx)
	t.r.metrics.committed(t.outcome, time.Since(t.began), t.d.Age())
	switch t.outcome {
	case outCommitted:
		t.countDeadline(true)
	case outStale:
		t.countDeadline(false)
		t.countSkipped(ctx)
	}
	return finished, nil
}

func (t *task) ackAll(ctx context.Context) {
	t.ack(ctx, t.d)
	for _, p := range t.album.parts {
		t.ack(ctx, p.d)
		t.r.metrics.turns.WithLabelValues(outGathered).Inc()
	}
}

// A failed ack costs one redelivery, which is skipped as a duplicate.
func (t *task) ack(ctx context.Context, d *queue.Delivery) {
	if err := d.Ack(ctx); err != nil {
		t.r.metrics.ackErrors.Inc()
	}
}

func (t *task) deliveries() iter.Seq[*queue.Delivery] {
	return func(yield func(*queue.Delivery) bool) {
		if !yield(t.d) {
			return
		}
		for _, p := range t.album.parts {
			if !yield(p.d) {
				return
			}
		}
	}
}
