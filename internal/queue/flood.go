package queue

import (
	"cmp"
	"context"
	"log/slog"
	"slices"

	"github.com/chatlane/chatlane/internal/lane"
)

// A flood is a lane that takes most of its partition's window: its updates come
// faster than it can answer them, and those of the other lanes would wait behind
// them at the broker. It is parked while it runs, so that it takes one place.

// Where a flood begins: the window is three quarters full, and an eighth of it is
// one lane's. A window that fills up without such a lane is load, and slows intake.
func crowded(open, window int) bool { return open > window*3/4 }
func floods(depth, window int) bool { return depth >= max(window/8, 2) }

// note takes a delivery into the books, and returns a flood's updates in order.
func (t *term) note(d *Delivery) (flood []*Delivery) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open[d.Seq] = d
	t.depth[d.Lane]++
	if !crowded(len(t.open), t.o.cfg.Window) {
		return nil
	}
	var deepest lane.Key
	for k, n := range t.depth {
		if n > t.depth[deepest] {
			deepest = k
		}
	}
	if t.relieved[deepest] || !floods(t.depth[deepest], t.o.cfg.Window) {
		return nil
	}
	t.relieved[deepest] = true
	return t.of(deepest)
}

// relieve moves a flood out of the window.
func (t *term) relieve(flood []*Delivery) {
	t.lot.relieve(t.work, flood)
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.relieved, flood[0].Lane)
}

// of lists what is open of a lane, the oldest first. It needs t.mu.
func (t *term) of(k lane.Key) []*Delivery {
	var ds []*Delivery
	for _, d := range t.open {
		if d.Lane == k {
			ds = append(ds, d)
		}
	}
	slices.SortFunc(ds, func(a, b *Delivery) int { return cmp.Compare(a.Seq, b.Seq) })
	return ds
}

// forget takes a delivery out of the books. After a resynchronisation another one
// may stand there for the same update.
func (t *term) forget(d *Delivery) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.acks++
	if t.open[d.Seq] != d {
		return
	}
	delete(t.open, d.Seq)
	if t.depth[d.Lane]--; t.depth[d.Lane] <= 0 {
		delete(t.depth, d.Lane)
	}
}

// relieve parks a lane with all that is open of it, oldest first. The update whose
// turn is running is copied too, since what is parked must be older than whatever
// of the lane still waits in UPDATES; its turn goes on, and its copy is skipped by
// the cursor.
func (l *lot) relieve(ctx context.Context, flood []*Delivery) {
	k := flood[0].Lane
	s, fresh := l.enter(k)
	defer s.filling.Unlock()
	if fresh {
		l.parked.WithLabelValues(parkedFlooding).Inc()
		l.log.WarnContext(ctx, "lane parked: it floods its partition", slog.String("lane", string(k)), slog.Int("updates", len(flood)))
	}
	if w, err := l.waits(ctx, k); err == nil { // else the lane's own jobs do it
		l.shift(ctx, flood, w, fresh)
	}
	if fresh {
		l.wake(k)
	}
}

// enter parks a lane, unless it is, and locks its space.
func (l *lot) enter(k lane.Key) (s *space, fresh bool) {
	for {
		l.mu.Lock()
		s = l.lanes[k]
		if s == nil {
			s = &space{}
			s.filling.Lock()
			l.lanes[k] = s
			l.mu.Unlock()
			return s, true
		}
		l.mu.Unlock()
		s.filling.Lock()
		if l.space(k) == s {
			return s, false
		}
		s.filling.Unlock()
	}
}

// shift copies a flood, and lets go of the originals whose turns have not begun. What
// could not be copied follows by the lane's own jobs.
func (l *lot) shift(ctx context.Context, flood []*Delivery, w wait, fresh bool) {
	var copied []*Delivery
	behind := expectation(fresh)
	for _, d := range flood {
		if l.hasMoved(d) {
			continue
		}
		at, err := l.copy(ctx, d, w, behind)
		if err != nil {
			l.log.DebugContext(ctx, "flood not moved any further, the lane does it one by one", slog.String("lane", string(d.Lane)), slog.String("error", err.Error()))
			break
		}
		if at.known { // else it was copied before
			behind = at
		}
		if !l.hasBegun(d) {
			copied = append(copied, d)
		}
	}
	if l.confirm(ctx) != nil {
		return
	}
	for _, d := range copied {
		l.letGo(ctx, d)
		l.mu.Lock()
		d.Parking.Moved = true
		l.mu.Unlock()
	}
}

func (l *lot) hasBegun(d *Delivery) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return d.Parking.Begun
}

func (l *lot) hasMoved(d *Delivery) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return d.Parking.Moved
}
