package turn

import "context"

// checkFreshness passes an update by that has outlived its use: it is committed without an answer.
func (t *task) checkFreshness(context.Context) (progress, error) {
	if t.stale() {
		t.outcome = outStale
	}
	return goOn, nil
}

// stale tells that the update has outlived its use. A replay never has.
func (t *task) stale() bool {
	limit := t.r.cfg.Freshness(t.d.Type)
	return limit > 0 && t.d.Age() > limit && t.d.Replay == 0
}
