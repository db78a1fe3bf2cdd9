package turn

import (
	"context"
	"log/slog"
)

// skipDuplicate ends the turn of a committed update: its ack was lost, or Telegram has sent it again.
func (t *task) skipDuplicate(ctx context.Context) (progress, error) {
	if !t.session.Done() {
		return goOn, nil
	}
	t.r.log.DebugContext(ctx, "update was done already", t.attrs(slog.String("by", t.session.DoneBy()))...)
	return t.skip(ctx, outDone)
}

func (t *task) skip(ctx context.Context, outcome string) (progress, error) {
	if err := t.session.CommitCursor(ctx); err != nil {
		return goOn, err
	}
	t.r.metrics.turns.WithLabelValues(outcome).Inc()
	if t.session.Done() {
		t.ack(ctx, t.d) // the album's later parts may not be done
	} else {
		t.ackAll(ctx)
	}
	return finished, nil
}
