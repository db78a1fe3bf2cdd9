package turn

import (
	"context"
	"log/slog"
)

// commit stores state, cursor and the end of the journal in one step. The timer is armed before it, so that
// no committed state lacks its timer, and the former timer is cancelled after it: a timer that fires for a
// state that is gone is ignored. The worker may die at any point in between.
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
