package turn

import (
	"context"
	"log/slog"
)

// commit arms the timer before the one step of the store, so that no committed state lacks its timer, and cancels
// the former timer after it: one that fires for a state that is gone is ignored. The worker may die in between.
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
