package kvstore

import (
	"context"
	"errors"
	"maps"

	"github.com/chatlane/chatlane/internal/fsm"
)

// Commit implements [fsm.Hold].
//
//  1. The state with this turn's mark, if it changed. It expects the revision of the
//     lane's record; a shared state that of its own record.
//  2. The lane's record: cursor, seen id, no journal of the turn, no holder. From here on the
//     commit has taken effect.
//  3. A shared state: no mark, no holder. A state that ended: no record.
//
// Cut off between 1 and 2, the turn comes again and finds the mark.
func (h *hold) Commit(ctx context.Context, c fsm.Change) error {
	if err := h.busy.enter(ctx); err != nil {
		return err
	}
	defer h.busy.leave()
	if h.lane.rec.Holder == "" {
		return h.committed(ctx, c)
	}
	if h.writesState(c) {
		done, err := h.ours(h.putState(ctx, c), c)
		if done {
			h.finish(ctx, c)
		}
		if done || err != nil {
			return err
		}
	}
	lane := h.lane.rec
	lane.Stream, lane.Cursor, lane.By, lane.Holder = h.at.Stream, c.Cursor, h.token, ""
	lane.Seen = lane.Seen.with(h.at, h.s.cfg.SeenWindow, h.s.cfg.SeenMax)
	if j := lane.Journal; j != nil && j.At == place(h.at) {
		lane.Journal = nil // another's is of a turn that is still to come
	}
	for _, id := range c.Also {
		lane.Seen = lane.Seen.with(h.at.For(id), h.s.cfg.SeenWindow, h.s.cfg.SeenMax)
	}
	if _, err := h.ours(h.putLane(ctx, lane), c); err != nil {
		return err
	}
	h.finish(ctx, c)
	return nil
}

// writesState says that there is a first step: a changed state, or one whose TTL
// has to begin anew.
func (h *hold) writesState(c fsm.Change) bool {
	if h.keys.State == "" || c.Touched {
		return c.Touched && h.keys.State != ""
	}
	return h.s.cfg.StateTTL > 0 && !h.shared() && !c.Gone()
}

// putState is the first step.
func (h *hold) putState(ctx context.Context, c fsm.Change) error {
	mark := map[string]string{h.keys.Lane: fsm.Mark(h.at, c.Also)}
	if !h.shared() {
		rec := record{State: c.State, Data: c.Data, Meta: c.Meta, Marks: mark}
		ttl := h.s.cfg.StateTTL
		if c.Gone() {
			rec.Meta, ttl = nil, h.s.cfg.LaneTTL
		}
		return h.lane.guarded(ctx, func(e expect) error {
			_, err := h.s.bucket.put(ctx, stateKey(h.keys), rec.encode(), ttl, e)
			return err
		})
	}
	rec := h.state.rec
	rec.State, rec.Data, rec.Meta = c.State, c.Data, c.Meta
	if c.Gone() {
		rec.Meta = nil
	}
	rec.Marks = maps.Clone(rec.Marks)
	if rec.Marks == nil {
		rec.Marks = mark
	}
	rec.Marks[h.keys.Lane] = fsm.Mark(h.at, c.Also)
	return h.put(ctx, h.state, rec)
}

// putLane is the second step. Unlike other writes it is not remembered before it
// is known to have happened: it lets go of the lock.
func (h *hold) putLane(ctx context.Context, rec record) error {
	return h.lane.guarded(ctx, func(e expect) error {
		rev, err := h.s.bucket.put(ctx, h.lane.key, rec.encode(), h.s.cfg.LaneTTL, e)
		if err == nil {
			h.lane.rev, h.lane.rec = rev, rec
		}
		return err
	})
}

// finish is the third step. The commit stands whether or not it works: a lock that
// stays expires, a mark that stays is overwritten by the lane's next turn.
func (h *hold) finish(ctx context.Context, c fsm.Change) {
	h.forgetEntries(ctx)
	switch {
	case h.shared():
		h.state.rec.Marks = maps.Clone(h.state.rec.Marks)
		delete(h.state.rec.Marks, h.keys.Lane)
		_ = h.letGo(ctx, h.state)
	case h.keys.State != "" && c.Gone() && (c.Touched || len(h.own.Marks) > 0):
		_ = h.s.bucket.remove(ctx, stateKey(h.keys), expect{h.lane.key, h.lane.rev})
	}
}

// ours tells a lost lock from our own commit whose answer was lost.
func (h *hold) ours(err error, c fsm.Change) (done bool, _ error) {
	var t *taken
	if errors.As(err, &t) && t.now.By == h.token && t.now.Stream == h.at.Stream && t.now.Cursor == c.Cursor {
		return true, nil
	}
	return false, err
}

// committed answers a Commit of a session that has let go of its lane.
func (h *hold) committed(ctx context.Context, c fsm.Change) error {
	err := h.lane.recover(ctx)
	if _, err = h.ours(err, c); err == nil {
		h.finish(ctx, c)
	}
	return err
}
