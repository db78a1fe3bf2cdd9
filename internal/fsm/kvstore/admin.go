package kvstore

import (
	"context"
	"errors"
	"time"

	"github.com/chatlane/chatlane/internal/fsm"
)

// Ping implements [fsm.Admin]. It writes, since a broker may answer reads and refuse writes.
func (s *Store) Ping(ctx context.Context) error {
	_, rev, err := s.bucket.get(ctx, "ping")
	if err != nil {
		return err
	}
	_, err = s.bucket.put(ctx, "ping", []byte("1"), time.Hour, expect{"ping", rev})
	if errors.Is(err, errConflict) {
		return nil // another worker's ping
	}
	return err
}

func (s *Store) Peek(ctx context.Context, k fsm.Keys) (fsm.Record, error) {
	h := s.hold(k, fsm.Position{})
	l, holder, err := s.read(ctx, laneKey(k), h.token, 0)
	if err != nil {
		return fsm.Record{}, err
	}
	out := fsm.Record{Stream: l.rec.Stream, Cursor: l.rec.Cursor, Locked: holder != ""}
	if j := l.rec.Journal; j != nil {
		out.Attempts, out.Turn = j.Attempts, j.At
		if out.Journal, err = h.entries(ctx, j); err != nil {
			return out, err
		}
	}
	if k.State == "" {
		return out, nil
	}
	st, _, err := s.read(ctx, stateKey(k), h.token, 0)
	if err != nil {
		return out, err
	}
	out.State, out.Data, out.Meta = st.rec.State, st.rec.Data, st.rec.Meta
	return out, nil
}

func (s *Store) Edit(ctx context.Context, k fsm.Keys, change func(*fsm.Conversation) error) (err error) {
	if k.State == "" {
		return fsm.ErrNoState
	}
	h := s.hold(k, fsm.Position{})
	if err := h.obtain(ctx); err != nil {
		return err
	}
	defer func() { err = fsm.Undo(ctx, h, err) }()
	was, err := h.load(ctx)
	if err != nil {
		return err
	}
	c, err := fsm.Edited(was, change)
	if err != nil {
		return err
	}
	rec := h.own
	if h.shared() {
		rec = h.state.rec
	}
	rec.State, rec.Data, rec.Meta = c.State, c.Data, c.Meta
	return h.edit(ctx, rec)
}

// edit keeps the marks of turns that may come again. It removes an empty record; the release removes a shared one.
func (h *hold) edit(ctx context.Context, rec record) error {
	if h.shared() {
		return h.put(ctx, h.state, rec)
	}
	ttl := h.s.cfg.StateTTL
	if rec.State == "" && len(rec.Data) == 0 {
		ttl = h.s.cfg.LaneTTL
		at := fsm.Position{Stream: h.lane.rec.Stream, Seq: h.lane.rec.Cursor}
		if committed, _ := fsm.ReadMark(rec.Marks[h.keys.Lane], at); committed {
			rec.Marks = nil
		}
	}
	return h.lane.guarded(ctx, func(e expect) error {
		if rec.gone() {
			return h.s.bucket.remove(ctx, stateKey(h.keys), e)
		}
		_, err := h.s.bucket.put(ctx, stateKey(h.keys), rec.encode(), ttl, e)
		return err
	})
}

func (s *Store) Forget(ctx context.Context, k fsm.Keys) error {
	h := s.hold(k, fsm.Position{})
	if err := h.obtain(ctx); err != nil {
		return err
	}
	if j := h.lane.rec.Journal; j != nil {
		if _, err := h.entries(ctx, j); err != nil {
			return fsm.Undo(ctx, h, err)
		}
	}
	err := h.removeState(ctx)
	if err == nil {
		h.removeEntries(ctx)
		err = h.lane.guarded(ctx, func(e expect) error { return s.bucket.remove(ctx, h.lane.key, e) })
	}
	if err != nil {
		return fsm.Undo(ctx, h, err)
	}
	return nil
}

// removeState removes the state's record, and with it the lock of a shared state.
func (h *hold) removeState(ctx context.Context) error {
	if h.keys.State == "" {
		return nil
	}
	guard := h.lane
	if h.shared() {
		guard = h.state
	}
	err := guard.guarded(ctx, func(e expect) error { return h.s.bucket.remove(ctx, stateKey(h.keys), e) })
	if err == nil && h.shared() {
		h.state.rec.Holder = ""
	}
	return err
}

// Move implements [fsm.Admin]. It writes the new record before it removes the old one: an
// interrupted move can be repeated.
func (s *Store) Move(ctx context.Context, from, to fsm.Keys) (moved bool, err error) {
	old, fresh := s.hold(from, fsm.Position{}), s.hold(to, fsm.Position{})
	var states [2]record
	for i, h := range []*hold{old, fresh} {
		if err := h.obtain(ctx); err != nil {
			return false, err
		}
		defer func() { err = fsm.Undo(ctx, h, err) }()
		if states[i], err = h.loadState(ctx); err != nil {
			return false, err
		}
	}
	was, is := states[0], states[1]
	switch {
	case was.State == "" && len(was.Data) == 0:
		return false, nil
	case is.State == was.State && string(is.Data) == string(was.Data) && string(is.Meta) == string(was.Meta):
		// An earlier move was interrupted after this write.
	case is.State != "" || len(is.Data) > 0:
		return false, nil
	default:
		if err := fresh.writeMoved(ctx, was); err != nil {
			return false, err
		}
	}
	return true, old.removeState(ctx)
}

func (h *hold) writeMoved(ctx context.Context, was record) error {
	if h.shared() {
		rec := h.state.rec
		rec.State, rec.Data, rec.Meta = was.State, was.Data, was.Meta
		return h.put(ctx, h.state, rec)
	}
	rec := record{State: was.State, Data: was.Data, Meta: was.Meta}
	return h.lane.guarded(ctx, func(e expect) error {
		_, err := h.s.bucket.put(ctx, stateKey(h.keys), rec.encode(), h.s.cfg.StateTTL, e)
		return err
	})
}
