package kvstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/chatlane/chatlane/internal/fsm"
)

type hold struct {
	s     *Store
	keys  fsm.Keys
	at    fsm.Position
	token string
	since time.Time // before the oldest lock was taken or renewed

	busy    gate // one write at a time: each expects the revision of the last
	lane    *locked
	state   *locked // of a shared state, else nil
	own     record  // the state's record as loaded, unless it is shared
	spilled bool    // some journal entry has its own key
}

var _ fsm.Hold = (*hold)(nil)

// shared reports whether the state's own record is its lock. A bucket has no slots, so its home does not matter.
func (h *hold) shared() bool { return h.keys.State != "" && h.keys.Shared }

// obtain locks the lane, then a shared state. It renews the first lock while it waits for the second.
func (h *hold) obtain(ctx context.Context) (err error) {
	before := time.Now()
	h.lane, err = h.s.lock(ctx, laneKey(h.keys), h.token, h.s.cfg.LaneTTL, func(context.Context) error {
		before = time.Now()
		return nil
	})
	if err != nil {
		return err
	}
	h.since = before
	if !h.shared() {
		return nil
	}
	state, err := h.s.lock(ctx, stateKey(h.keys), h.token, h.s.cfg.StateTTL, h.renewInTime)
	if err != nil {
		return fsm.Undo(ctx, h, err)
	}
	h.state = state
	return nil
}

func (h *hold) renewInTime(ctx context.Context) error {
	now := time.Now()
	if now.Sub(h.since) < h.s.cfg.LockTTL/3 {
		return nil
	}
	if err := h.Renew(ctx); err != nil {
		return err
	}
	h.since = now
	return nil
}

// load reads the journal and the state, unless the locks have read them.
func (h *hold) load(ctx context.Context) (fsm.Loaded, error) {
	lane := h.lane.rec
	out := fsm.Loaded{Stream: lane.Stream, Cursor: lane.Cursor, Seen: lane.Seen.has(h.at, h.s.cfg.SeenWindow)}
	if j := lane.Journal; j != nil && j.At == h.at.ID() {
		out.Attempts = j.Attempts
		var err error
		if out.Journal, err = h.entries(ctx, j); err != nil {
			return out, err
		}
	}
	state, err := h.loadState(ctx)
	if err != nil {
		return out, err
	}
	out.State, out.Data, out.Meta = state.State, state.Data, state.Meta
	out.Wrote, out.Also = fsm.ReadMark(state.Marks[h.keys.Lane], h.at)
	return out, nil
}

func (h *hold) loadState(ctx context.Context) (record, error) {
	switch {
	case h.keys.State == "":
		return record{}, nil
	case h.shared():
		return h.state.rec, nil
	}
	raw, _, err := h.s.bucket.get(ctx, stateKey(h.keys))
	if err != nil {
		return record{}, err
	}
	h.own, err = decode(raw)
	return h.own, err
}

func (h *hold) entries(ctx context.Context, j *journal) (map[int][]byte, error) {
	out := make(map[int][]byte, len(j.Entries))
	for index, e := range j.Entries {
		if e.Key == "" {
			out[index] = e.Data
			continue
		}
		h.spilled = true
		raw, _, err := h.s.bucket.get(ctx, e.Key)
		if err != nil {
			return nil, err
		}
		out[index] = raw
	}
	return out, nil
}

// Record implements [fsm.Hold]. An entry that would make the lane's record too large gets its own
// key, which the record names.
func (h *hold) Record(ctx context.Context, index int, data []byte) error {
	if err := h.busy.enter(ctx); err != nil {
		return err
	}
	defer h.busy.leave()
	j := h.lane.rec.Journal.of(h.at.ID())
	e := entry{Data: data}
	if j.size()+len(data) > inlineMax {
		e = entry{Key: fmt.Sprintf("%s.%s.%d", entriesOf(h.keys.Lane), fsm.Token(), index)}
		err := h.lane.guarded(ctx, func(cond expect) error {
			_, err := h.s.bucket.put(ctx, e.Key, data, h.s.cfg.LaneTTL, cond)
			return err
		})
		if err != nil {
			return err
		}
		h.spilled = true
	}
	rec := h.lane.rec
	rec.Journal = j.with(index, e)
	return h.put(ctx, h.lane, rec)
}

func (h *hold) Fail(ctx context.Context, attempts int) error {
	if err := h.busy.enter(ctx); err != nil {
		return err
	}
	defer h.busy.leave()
	j := *h.lane.rec.Journal.of(h.at.ID())
	j.Attempts = attempts
	rec := h.lane.rec
	rec.Journal = &j
	return h.put(ctx, h.lane, rec)
}

func (h *hold) Renew(ctx context.Context) error {
	if err := h.busy.enter(ctx); err != nil {
		return err
	}
	defer h.busy.leave()
	if err := h.put(ctx, h.lane, h.lane.rec); err != nil || h.state == nil {
		return err
	}
	return h.put(ctx, h.state, h.state.rec)
}

// put fails after Release.
func (h *hold) put(ctx context.Context, l *locked, rec record) error {
	if l.rec.Holder != h.token {
		return fsm.ErrLockLost
	}
	return l.put(ctx, rec)
}

// Release implements [fsm.Hold], in the reverse order.
func (h *hold) Release(ctx context.Context) error {
	if err := h.busy.enter(ctx); err != nil {
		return err
	}
	defer h.busy.leave()
	var all error
	for _, l := range []*locked{h.state, h.lane} {
		if l == nil || l.rec.Holder != h.token {
			continue
		}
		if err := h.unlock(ctx, l); err != nil && !errors.Is(err, fsm.ErrLockLost) {
			all = errors.Join(all, fmt.Errorf("unlock: %w", err))
		}
	}
	return all
}

func (h *hold) unlock(ctx context.Context, l *locked) error {
	rec := l.rec
	rec.Holder = ""
	if l == h.state && rec.gone() {
		return l.guarded(ctx, func(e expect) error { return h.s.bucket.remove(ctx, l.key, e) })
	}
	return l.release(ctx, rec)
}

// entriesOf ends with a token that no encoded key contains: a topic's lane key begins with its chat's.
func entriesOf(lane string) string { return "entry." + encodeKey(lane) + ".=e" }

// removeEntries comes after the commit: no record names a key that remains, and it expires.
func (h *hold) removeEntries(ctx context.Context) {
	if h.spilled {
		_ = h.s.bucket.purge(ctx, entriesOf(h.keys.Lane))
	}
}
