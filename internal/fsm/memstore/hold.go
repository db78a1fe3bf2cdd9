package memstore

import (
	"context"
	"maps"
	"time"

	"github.com/chatlane/chatlane/internal/fsm"
)

// hold commits in one step: the whole memory has one mutex.
type hold struct {
	s     *Store
	keys  fsm.Keys
	at    fsm.Position
	token uint64
	locks []string  // held, in the order of taking
	since time.Time // before the oldest was taken or renewed

	stream int64 // as loaded
	cursor uint64
}

var _ fsm.Hold = (*hold)(nil)

func (h *hold) obtain(ctx context.Context) error {
	wanted := []string{laneLock(h.keys)}
	if h.keys.Separate() {
		wanted = append(wanted, stateLock(h.keys))
	}
	h.since = time.Now()
	for _, name := range wanted {
		if err := h.wait(ctx, name); err != nil {
			return fsm.Undo(ctx, h, err)
		}
		h.locks = append(h.locks, name)
	}
	return nil
}

func (h *hold) load() fsm.Loaded {
	m := h.s.mem
	m.mu.Lock()
	defer m.mu.Unlock()
	var out fsm.Loaded
	if l := m.lanes[h.keys.Lane]; l != nil {
		out.Stream, out.Cursor = l.stream, l.cursor
		out.Seen = l.seen.has(h.at, h.s.cfg.SeenWindow)
		if l.journalOf == h.position() {
			out.Journal, out.Attempts = maps.Clone(l.journal), l.attempts
		}
	}
	h.stream, h.cursor = out.Stream, out.Cursor
	if h.keys.State != "" {
		st := m.states[h.keys.State]
		out.State, out.Data, out.Meta = st.state, st.data, st.meta
	}
	return out
}

func (h *hold) position() position { return position{h.at.Stream, h.at.Seq} }

// guarded writes if every lock is ours.
func (h *hold) guarded(do func(m *memory) error) error {
	if err := h.s.reach(); err != nil {
		return err
	}
	m := h.s.mem
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range h.locks {
		if token, held := m.holder(name); !held || token != h.token {
			return fsm.ErrLockLost
		}
	}
	return do(m)
}

// journal drops what another position left.
func (h *hold) journal(m *memory) *laneRecord {
	l := m.lane(h.keys.Lane)
	if l.journalOf != h.position() || l.journal == nil {
		l.journalOf, l.journal, l.attempts = h.position(), make(map[int][]byte), 0
	}
	return l
}

func (h *hold) Record(_ context.Context, index int, entry []byte) error {
	return h.guarded(func(m *memory) error {
		h.journal(m).journal[index] = entry
		return nil
	})
}

func (h *hold) Fail(_ context.Context, attempts int) error {
	return h.guarded(func(m *memory) error {
		h.journal(m).attempts = attempts
		return nil
	})
}

func (h *hold) Renew(context.Context) error {
	return h.guarded(func(m *memory) error {
		for _, name := range h.locks {
			m.locks[name].until = time.Now().Add(h.s.cfg.LockTTL)
		}
		return nil
	})
}

func (h *hold) Commit(_ context.Context, c fsm.Change) error {
	if h.committed(c) {
		return h.s.reach()
	}
	return h.guarded(func(m *memory) error {
		l := m.lane(h.keys.Lane)
		switch {
		case l.stream != h.stream:
			return fsm.ErrStreamChanged
		case l.cursor != h.cursor:
			return fsm.ErrCursorMoved
		}
		l.stream, l.cursor, l.by = h.at.Stream, c.Cursor, h.token
		if l.journalOf == h.position() { // a journal of another position belongs to an unfinished turn
			l.journalOf, l.journal, l.attempts = position{}, nil, 0
		}
		l.seen.add(h.at, h.s.cfg)
		for _, id := range c.Also {
			l.seen.add(h.at.For(id), h.s.cfg)
		}
		h.keep(m, c)
		for _, name := range h.locks {
			m.give(name, h.token)
		}
		return nil
	})
}

func (h *hold) keep(m *memory, c fsm.Change) {
	switch {
	case h.keys.State == "" || !c.Touched:
	case c.Gone():
		delete(m.states, h.keys.State)
	default:
		m.states[h.keys.State] = stateRecord{c.State, c.Data, c.Meta}
	}
}

// committed reports whether an earlier Commit of this session took effect.
func (h *hold) committed(c fsm.Change) bool {
	m := h.s.mem
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.lanes[h.keys.Lane]
	return l != nil && l.by == h.token && l.stream == h.at.Stream && l.cursor == c.Cursor
}

func (h *hold) Release(context.Context) error {
	if err := h.s.reach(); err != nil {
		return err
	}
	m := h.s.mem
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range h.locks {
		m.give(name, h.token)
	}
	return nil
}
