package parking

import (
	"context"
	"log/slog"
)

// moveFlood parks a lane with all its open updates, oldest first. The running one is copied too, since
// parked updates must be older than the rest; its attempt goes on, and the cursor skips its copy.
func (l *Lanes) moveFlood(ctx context.Context, flood []*entry) {
	k := flood[0].Lane
	p, fresh := l.enter(k)
	defer p.filling.Unlock()
	if fresh {
		l.cfg.Metrics.parked.WithLabelValues(reasonFlooding).Inc()
		l.log.WarnContext(ctx, "lane parked: it floods its partition", slog.String("lane", string(k)), slog.Int("updates", len(flood)))
	}
	if w, err := l.waitOf(ctx, k); err == nil { // else the lane's own jobs move it
		l.copyFlood(ctx, flood, w, fresh)
	}
	if fresh {
		l.wake(k)
	}
}

// copyFlood leaves what it cannot copy to the lane's own jobs.
func (l *Lanes) copyFlood(ctx context.Context, flood []*entry, w wait, fresh bool) {
	var copied []*entry
	behind := after(fresh)
	for _, e := range flood {
		if l.hasMoved(e) {
			continue
		}
		at, err := l.copy(ctx, e.Delivery, w, behind)
		if err != nil {
			l.log.DebugContext(ctx, "rest of a flood not copied, its lane does so one by one", slog.String("lane", string(e.Lane)), slog.String("error", err.Error()))
			break
		}
		if at.known { // else it was copied before
			behind = at
		}
		if !l.hasBegun(e) {
			copied = append(copied, e)
		}
	}
	if l.confirm(ctx) != nil {
		return
	}
	for _, e := range copied {
		l.acknowledge(ctx, e.Delivery)
		l.setMoved(e)
	}
}
