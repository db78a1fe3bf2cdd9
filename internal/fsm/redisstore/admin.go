package redisstore

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"

	"github.com/chatlane/chatlane/internal/fsm"
)

// Ping implements [fsm.Admin]. It writes, since a server may answer reads and refuse writes.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.client.Set(ctx, s.cfg.Prefix+":ping", "1", s.cfg.SeenWindow).Err(); err != nil {
		return unavailable("ping", err)
	}
	return nil
}

func (s *Store) Peek(ctx context.Context, k fsm.Keys) (fsm.Record, error) {
	n := newNames(s.cfg.Prefix, k)
	pipe := s.client.Pipeline()
	lane := pipe.HMGet(ctx, n.lane, "v", "stream", "cursor")
	journal := pipe.HGetAll(ctx, n.journal)
	locked := pipe.Exists(ctx, n.lock)
	var state *redis.MapStringStringCmd
	if k.State != "" {
		state = pipe.HGetAll(ctx, n.state)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return fsm.Record{}, unavailable("peek", err)
	}
	l, err := loadLane(lane.Val())
	if err != nil {
		return fsm.Record{}, err
	}
	r := fsm.Record{Stream: l.Stream, Cursor: l.Cursor, Locked: locked.Val() > 0}
	r.Turn = journal.Val()["at"]
	r.Journal, r.Attempts = loadJournal(journal.Val())
	if state != nil && len(state.Val()) > 0 {
		f := state.Val()
		if err := readable(f["v"]); err != nil {
			return fsm.Record{}, err
		}
		r.State, r.Data, r.Meta = f["state"], []byte(f["data"]), []byte(f["meta"])
	}
	return r, nil
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
	args := h.stateArgs(c)
	return h.runDurably(ctx, s.scripts.edit, []string{h.names.state, h.guard()}, append([]any{h.token}, args...)...)
}

func (s *Store) Forget(ctx context.Context, k fsm.Keys) (err error) {
	h := s.hold(k, fsm.Position{})
	if err := h.obtain(ctx); err != nil {
		return err
	}
	defer func() { err = fsm.Undo(ctx, h, err) }()
	err = h.run(ctx, s.scripts.remove, []string{h.names.lock, h.names.lane, h.names.journal, h.names.seen}, h.token)
	if err != nil || k.State == "" {
		return err
	}
	return h.removeState(ctx)
}

func (h *hold) removeState(ctx context.Context) error {
	return h.run(ctx, h.s.scripts.remove, []string{h.guard(), h.names.state}, h.token)
}

// guard is the lock in the same slot as the state.
func (h *hold) guard() string {
	if h.keys.Separate() {
		return h.names.stateLock
	}
	return h.names.lock
}

// Move implements [fsm.Admin]. It writes the new record before it removes the old one: an
// interrupted move can be repeated.
func (s *Store) Move(ctx context.Context, from, to fsm.Keys) (moved bool, err error) {
	old, fresh := s.hold(from, fsm.Position{}), s.hold(to, fsm.Position{})
	for _, h := range []*hold{old, fresh} {
		if err := h.obtain(ctx); err != nil {
			return false, err
		}
		defer func() { err = fsm.Undo(ctx, h, err) }()
	}
	f, err := s.client.HGetAll(ctx, old.names.state).Result()
	if err != nil {
		return false, unavailable("move", err)
	}
	if f["state"] == "" && f["data"] == "" {
		return false, nil
	}
	err = fresh.run(ctx, s.scripts.move, []string{fresh.names.state, fresh.guard()},
		fresh.token, millis(s.cfg.StateTTL), f["state"], f["data"], f["meta"])
	if errors.Is(err, fsm.ErrCursorMoved) {
		return false, nil // the other lane has a state
	}
	if err != nil {
		return false, err
	}
	return true, old.removeState(ctx)
}
