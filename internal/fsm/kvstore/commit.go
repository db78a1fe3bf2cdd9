package kvstore

import (
	"context"
	"errors"
	"maps"

	"github.com/chatlane/chatlane/internal/fsm"
)

// Commit implements [fsm.Hold].
//
//  1. If the state changed: write it with this turn's mark. The write expects the revision
//     of the lane's record, for a shared state that of the state's own record.
//  2. Write the lane's record: the new cursor and seen id, without journal and holder. With
//     this write the commit has taken effect.
//  3. Remove mark and holder of a shared state, and the record of a state that ended.
//
// If the worker dies between 1 and 2, the turn runs again and finds the mark.
func (h *hold) Commit(ctx context.Context, c fsm.Change) error {
	if err := h.busy.enter(ctx); err != nil {
		return err
	}
	defer h.busy.leave()
	if h.lane.rec.Holder == "" {
		return h.committed(ctx, c)
	}
	if h.writesState(c) {
		done, err := h.ownCommit(h.putState(ctx, c), c)
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
	if j := lane.Journal; j != nil && j.At == h.at.ID() {
		lane.Journal = nil // a journal of another position belongs to an unfinished turn
	}
	for _, id := range c.Also {
		lane.Seen = lane.Seen.with(h.at.For(id), h.s.cfg.SeenWindow, h.s.cfg.SeenMax)
	}
	if _, err := h.ownCommit(h.putLane(ctx, lane), c); err != nil {
		return err
	}
	h.finish(ctx, c)
	return nil
}

// writesState reports whether step 1 is needed: the state changed, or its TTL starts again.
func (h *hold) writesState(c fsm.Change) bool {
	if h.keys.State == "" || c.Touched {
		return c.Touched && h.keys.State != ""
	}
	return h.s.cfg.StateTTL > 0 && !h.shared() && !c.Gone()
}

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

// putLane is step 2. The write releases the lock, so it keeps the new record only once the broker has confirmed it.
func (h *hold) putLane(ctx context.Context, rec record) error {
	return h.lane.guarded(ctx, func(e expect) error {
		rev, err := h.s.bucket.put(ctx, h.lane.key, rec.encode(), h.s.cfg.LaneTTL, e)
		if err == nil {
			h.lane.rev, h.lane.rec = rev, rec
		}
		return err
	})
}

// finish is step 3. The commit stands even if it fails: a lock expires, and the lane's next turn overwrites a mark.
func (h *hold) finish(ctx context.Context, c fsm.Change) {
	h.removeEntries(ctx)
	switch {
	case h.shared():
		h.state.rec.Marks = maps.Clone(h.state.rec.Marks)
		delete(h.state.rec.Marks, h.keys.Lane)
		_ = h.unlock(ctx, h.state)
	case h.keys.State != "" && c.Gone() && (c.Touched || len(h.own.Marks) > 0):
		_ = h.s.bucket.remove(ctx, stateKey(h.keys), expect{h.lane.key, h.lane.rev})
	}
}

// ownCommit tells a lost lock from this session's own commit whose answer was lost.
func (h *hold) ownCommit(err error, c fsm.Change) (done bool, _ error) {
	var lost *lostLock
	if errors.As(err, &lost) && lost.now.By == h.token && lost.now.Stream == h.at.Stream && lost.now.Cursor == c.Cursor {
		return true, nil
	}
	return false, err
}

// committed answers a Commit of a session that has released its lane.
func (h *hold) committed(ctx context.Context, c fsm.Change) error {
	err := h.lane.recover(ctx)
	if _, err = h.ownCommit(err, c); err == nil {
		h.finish(ctx, c)
	}
	return err
}
