package turn

import (
	"context"
	"log/slog"
)

// commit keeps what the handler changed, in one step with the cursor and the end of the journal.
//
// The timer is armed before, so that no kept state waits for a timer that was lost. A
// former timer is cancelled after: one that fires for a state that is gone is ignored.
// The worker may die at any point in between.
func (t *task) commit(ctx context.Context) (progress, error) {
	if err := t.armTimer(ctx); err != nil {
		return goOn, err
	}
	if err := t.session.Commit(ctx); err != nil {
		return goOn, err
	}
	t.storeAnswered(ctx, nil)
	if err := t.cancelTimer(); err != nil {
		t.r.log.DebugContext(ctx, "timer not cancelled, it will be ignored", t.attrs(slog.String("error", err.Error()))...)
	}
	if t.timer.late {
		t.r.metrics.late.Inc()
	}
	return goOn, nil
}
