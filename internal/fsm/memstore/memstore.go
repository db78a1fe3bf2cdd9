// Package memstore keeps sessions in memory, for tests and for bots that may forget everything. It
// keeps every promise of package fsm but surviving a restart.
package memstore

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatlane/chatlane/internal/fsm"
)

// Config of a store. The zero value is usable.
type Config struct {
	LockTTL    time.Duration         // of a lock without renewal; 0 means 2 s
	SeenWindow time.Duration         // how long update ids are remembered; 0 means 24 h
	SeenMax    int                   // update ids remembered by lane; 0 means 1000
	Registerer prometheus.Registerer // may be nil
}

func (c Config) withDefaults() Config {
	c.LockTTL = cmp.Or(c.LockTTL, 2*time.Second)
	c.SeenWindow = cmp.Or(c.SeenWindow, 24*time.Hour)
	c.SeenMax = cmp.Or(c.SeenMax, 1000)
	return c
}

// Store keeps sessions in memory. Safe for concurrent use.
type Store struct {
	cfg     Config
	mem     *memory
	metrics *fsm.Metrics
	cut     atomic.Bool // an outage, for tests
}

var (
	_ fsm.Store = (*Store)(nil)
	_ fsm.Admin = (*Store)(nil)
)

// New makes an empty store.
func New(cfg Config) *Store {
	cfg = cfg.withDefaults()
	return &Store{cfg: cfg, mem: newMemory(), metrics: fsm.NewMetrics(cfg.Registerer)}
}

func (s *Store) Open(ctx context.Context, k fsm.Keys, at fsm.Position) (*fsm.Session, error) {
	h := &hold{s: s, keys: k, at: at, token: s.mem.token()}
	if err := h.obtain(ctx); err != nil {
		return nil, err
	}
	return fsm.Begin(ctx, h, at, h.load(), fsm.Lease{TTL: s.cfg.LockTTL, Since: h.since}, s.metrics)
}

func (s *Store) Ping(context.Context) error { return s.reach() }

func (s *Store) Peek(_ context.Context, k fsm.Keys) (fsm.Record, error) {
	if err := s.reach(); err != nil {
		return fsm.Record{}, err
	}
	s.mem.mu.Lock()
	defer s.mem.mu.Unlock()
	var r fsm.Record
	if l := s.mem.lanes[k.Lane]; l != nil {
		r.Stream, r.Cursor, r.Attempts = l.stream, l.cursor, l.attempts
		r.Journal = maps.Clone(l.journal)
		if l.journalOf != (position{}) {
			r.Turn = fsm.Position{Stream: l.journalOf.stream, Seq: l.journalOf.seq}.ID()
		}
	}
	_, r.Locked = s.mem.holder(laneLock(k))
	st := s.mem.states[k.State]
	r.State, r.Data, r.Meta = st.state, st.data, st.meta
	return r, nil
}

func (s *Store) Edit(ctx context.Context, k fsm.Keys, change func(*fsm.Conversation) error) (err error) {
	if k.State == "" {
		return fsm.ErrNoState
	}
	h := &hold{s: s, keys: k, token: s.mem.token()}
	if err := h.obtain(ctx); err != nil {
		return err
	}
	defer func() { err = fsm.Undo(ctx, h, err) }()
	c, err := fsm.Edited(h.load(), change)
	if err != nil {
		return err
	}
	return h.guarded(func(m *memory) error {
		h.keep(m, c)
		return nil
	})
}

func (s *Store) Forget(ctx context.Context, k fsm.Keys) error {
	h := &hold{s: s, keys: k, token: s.mem.token()}
	if err := h.obtain(ctx); err != nil {
		return err
	}
	s.mem.mu.Lock()
	delete(s.mem.lanes, k.Lane)
	delete(s.mem.states, k.State)
	s.mem.mu.Unlock()
	return h.Release(ctx)
}

func (s *Store) Move(ctx context.Context, from, to fsm.Keys) (moved bool, err error) {
	old := &hold{s: s, keys: from, token: s.mem.token()}
	if err := old.obtain(ctx); err != nil {
		return false, err
	}
	defer func() { err = fsm.Undo(ctx, old, err) }()
	fresh := &hold{s: s, keys: to, token: s.mem.token()}
	if err := fresh.obtain(ctx); err != nil {
		return false, err
	}
	defer func() { err = fsm.Undo(ctx, fresh, err) }()
	s.mem.mu.Lock()
	defer s.mem.mu.Unlock()
	st, found := s.mem.states[from.State]
	if _, taken := s.mem.states[to.State]; !found || taken {
		return false, nil
	}
	delete(s.mem.states, from.State)
	s.mem.states[to.State] = st
	return true, nil
}

func (s *Store) reach() error {
	if s.cut.Load() {
		return fmt.Errorf("%w: cut off", fsm.ErrUnavailable)
	}
	return nil
}

type memory struct {
	mu     sync.Mutex
	tokens uint64
	locks  map[string]*lock
	lanes  map[string]*laneRecord
	states map[string]stateRecord
}

type laneRecord struct {
	stream int64
	cursor uint64
	by     uint64 // token of the session that committed last
	seen   seen

	journalOf position // whose journal and attempts these are
	journal   map[int][]byte
	attempts  int
}

type position struct {
	stream int64
	seq    uint64
}

type stateRecord struct {
	state      string
	data, meta []byte
}

func newMemory() *memory {
	return &memory{
		locks: make(map[string]*lock), lanes: make(map[string]*laneRecord),
		states: make(map[string]stateRecord),
	}
}

func (m *memory) token() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tokens++
	return m.tokens
}

// lane needs m.mu.
func (m *memory) lane(key string) *laneRecord {
	l := m.lanes[key]
	if l == nil {
		l = &laneRecord{}
		m.lanes[key] = l
	}
	return l
}
