package fsm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
)

// What shows that an update was committed before.
const (
	DoneByCursor = "cursor" // the lane's cursor is at or past it
	DoneBySeen   = "seen"   // its id was committed at another position
	DoneByState  = "state"  // the state is committed, the cursor is not
)

// Session is one turn's hold on its lane and its state. Safe for concurrent use. Changes are buffered
// until Commit; after Commit or Close nothing has effect, so an abandoned handler does no harm.
type Session struct {
	hold    Hold
	at      Position
	loaded  Loaded
	metrics *Metrics
	renewer *renewer

	end sync.Mutex // one commit or close at a time

	mu      sync.Mutex
	state   string
	data    []byte
	meta    []byte
	touched bool
	journal map[int][]byte
	also    []int64
	closed  bool
}

// Begin makes the session of a hold that has locked and loaded. If the lane was committed under a
// newer stream, it releases the hold and fails with ErrStreamChanged.
func Begin(ctx context.Context, h Hold, at Position, l Loaded, g Lease, m *Metrics) (*Session, error) {
	if at.Stream < l.Stream {
		err := m.refused(fmt.Errorf("stream %d, lane was committed under %d: %w", at.Stream, l.Stream, ErrStreamChanged))
		return nil, Undo(ctx, h, err)
	}
	s := &Session{
		hold: h, at: at, loaded: l, metrics: m,
		state: l.State, data: l.Data, meta: l.Meta, journal: maps.Clone(l.Journal), also: l.Also,
	}
	s.renewer = startRenewer(ctx, h, g)
	return s, nil
}

// Also adds further updates of the lane to the commit. The cursor stays, so that nothing in between is skipped.
func (s *Session) Also(updates ...int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.also = updates
}

// State is empty outside of a conversation.
func (s *Session) State() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

func (s *Session) SetState(state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.state == state {
		return
	}
	s.state, s.touched = state, true
}

// Data must not be written to.
func (s *Session) Data() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.data
}

// SetData keeps the slice.
func (s *Session) SetData(data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set(&s.data, data)
}

// Meta is what the router keeps beside the data. It is gone once state and data are empty.
func (s *Session) Meta() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.meta
}

func (s *Session) SetMeta(meta []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set(&s.meta, meta)
}

// set needs s.mu.
func (s *Session) set(field *[]byte, v []byte) {
	if s.closed || bytes.Equal(*field, v) {
		return
	}
	*field, s.touched = v, true
}

// Done reports whether this update was committed before, so that only the cursor is left to move.
func (s *Session) Done() bool { return s.DoneBy() != "" }

// DoneBy is DoneByCursor, DoneBySeen or DoneByState; empty if the update is not done.
func (s *Session) DoneBy() string { return s.loaded.doneBy(s.at) }

// Attempts is how often this update has failed before.
func (s *Session) Attempts() int { return s.loaded.Attempts }

// Begun reports whether an earlier attempt left something in the journal.
func (s *Session) Begun() bool { return len(s.loaded.Journal) > 0 }

// Lost is closed when a lock is found to be lost: the turn has to stop.
func (s *Session) Lost() <-chan struct{} { return s.renewer.lost }

// Recall finds a journal entry of this turn, from an earlier attempt or this one.
func (s *Session) Recall(index int) (entry []byte, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry, ok = s.journal[index]
	return entry, ok
}

// Journal is a copy of what Recall finds, by index.
func (s *Session) Journal() map[int][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.journal)
}

// Record writes a journal entry through, replacing one of the same index.
func (s *Session) Record(ctx context.Context, index int, entry []byte) error {
	if err := s.write(func() error { return s.hold.Record(ctx, index, entry) }); err != nil {
		return fmt.Errorf("record call %d: %w", index, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.journal == nil {
		s.journal = make(map[int][]byte)
	}
	s.journal[index] = entry
	return nil
}

// Fail records how often this update has failed, for the next attempt.
func (s *Session) Fail(ctx context.Context, attempts int) error {
	if err := s.write(func() error { return s.hold.Fail(ctx, attempts) }); err != nil {
		return fmt.Errorf("note attempt %d: %w", attempts, err)
	}
	return nil
}

func (s *Session) write(do func() error) error {
	err := s.usable()
	if err == nil {
		err = do()
	}
	if errors.Is(err, ErrLockLost) {
		s.renewer.lose()
	}
	return s.metrics.refused(err)
}

// Commit makes the turn's changes take effect, ends its journal and releases the locks, all or nothing.
// A refusal is ErrLockLost, ErrCursorMoved or ErrStreamChanged. After ErrUnavailable the outcome is
// unknown: another Commit or session finds out. If the turn is Done it commits the cursor alone.
func (s *Session) Commit(ctx context.Context) error {
	if s.Done() {
		return s.CommitCursor(ctx)
	}
	s.mu.Lock()
	c := Change{Touched: s.touched, State: s.state, Data: s.data, Meta: s.meta}
	s.mu.Unlock()
	return s.commit(ctx, c)
}

// CommitCursor moves past the update and ends its journal, but leaves the state as it was: for a
// dead letter that is stored already, and for a turn that is Done.
func (s *Session) CommitCursor(ctx context.Context) error {
	return s.commit(ctx, Change{State: s.loaded.State, Data: s.loaded.Data, Meta: s.loaded.Meta})
}

func (s *Session) commit(ctx context.Context, c Change) error {
	s.end.Lock()
	defer s.end.Unlock()
	if err := s.usable(); err != nil {
		return fmt.Errorf("commit: %w", s.metrics.refused(err))
	}
	s.renewer.stop()
	c.Cursor = s.loaded.cursorAfter(s.at)
	s.mu.Lock()
	c.Also = s.also
	s.mu.Unlock()
	if err := s.hold.Commit(ctx, c); err != nil {
		if errors.Is(err, ErrLockLost) {
			s.renewer.lose()
		}
		return fmt.Errorf("commit: %w", s.metrics.refused(err))
	}
	s.close()
	return nil
}

// Close releases the locks without a commit. After Commit, or a second time, it does nothing.
func (s *Session) Close(ctx context.Context) error {
	s.end.Lock()
	defer s.end.Unlock()
	if !s.close() {
		return nil
	}
	s.renewer.stop()
	if s.renewer.isLost() {
		s.metrics.lost.Inc()
	}
	if err := s.hold.Release(ctx); err != nil {
		return fmt.Errorf("close session: %w", err)
	}
	return nil
}

func (s *Session) close() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := !s.closed
	s.closed = true
	return first
}

// Held is nil while the locks live by this process's own clock. Ask it before an effect that nothing else fences.
func (s *Session) Held() error { return s.usable() }

func (s *Session) usable() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return ErrClosed
	case s.renewer.isLost():
		return ErrLockLost
	}
	return nil
}
