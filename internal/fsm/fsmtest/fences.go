package fsmtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/fsm"
)

func lockExcludes(t *testing.T, h Harness) {
	eachKind(t, func(t *testing.T, k fsm.Keys) {
		a, b := start(t, h).Store, start(t, h).Store
		holder := open(t, a, k, at(1))
		other := k
		other.Lane, other.State = "42:c:5", ""
		mustClose(t, open(t, b, other, at(1))) // and b has its connections now
		for _, s := range []Store{a, b} {
			// Long enough for a busy server's answer: without one the store is not busy but away.
			ctx, cancel := context.WithTimeout(t.Context(), lockTTL/2)
			_, err := s.Open(ctx, k, at(1))
			cancel()
			if !errors.Is(err, fsm.ErrBusy) {
				t.Errorf("a second session: %v", err)
			}
		}
		mustCommit(t, holder)
		mustClose(t, open(t, b, k, at(2)))
	})
}

func lockPassedOn(t *testing.T, h Harness) {
	a, b := start(t, h).Store, start(t, h).Store
	holder := open(t, a, group(), at(1))
	holder.SetState("a")
	got := make(chan *fsm.Session, 1)
	go func() {
		defer close(got)
		s, err := b.Open(t.Context(), group(), at(2))
		if err != nil {
			t.Errorf("wait for the lock: %v", err)
			return
		}
		got <- s
	}()
	mustCommit(t, holder)
	if s := <-got; s != nil {
		if s.State() != "a" {
			t.Errorf("who waited loaded %q: read before the lock was free", s.State())
		}
		mustClose(t, s)
	}
}

func lockRenewed(t *testing.T, h Harness) {
	eachKind(t, func(t *testing.T, k fsm.Keys) {
		p := h.Process(t, Config{LockTTL: lockTTL})
		holder := open(t, p.Store, k, at(1))
		holder.SetState("a")
		ctx, cancel := context.WithTimeout(t.Context(), 3*lockTTL)
		defer cancel()
		if _, err := p.Store.Open(ctx, k, at(1)); !errors.Is(err, fsm.ErrBusy) {
			t.Errorf("three lock TTLs later: %v", err)
		}
		mustCommit(t, holder)
	})
}

// refuses checks that a session has lost its right to everything.
func refuses(t *testing.T, s *fsm.Session, refusal error) {
	t.Helper()
	s.SetState("late")
	s.SetData([]byte("late"))
	for what, err := range map[string]error{
		"commit": s.Commit(t.Context()),
		"cursor": s.CommitCursor(t.Context()),
	} {
		if !errors.Is(err, refusal) {
			t.Errorf("%s: %v, want %v", what, err, refusal)
		}
	}
}

func stolenRefuses(t *testing.T, h Harness) {
	eachKind(t, func(t *testing.T, k fsm.Keys) {
		s := start(t, h).Store
		for what, do := range map[string]func(s *fsm.Session) error{
			"record": func(s *fsm.Session) error { return s.Record(t.Context(), 0, []byte("late")) },
			"spill":  func(s *fsm.Session) error { return s.Record(t.Context(), 0, make([]byte, 100<<10)) },
			"fail":   func(s *fsm.Session) error { return s.Fail(t.Context(), 4) },
			"commit": func(s *fsm.Session) error { return s.Commit(t.Context()) },
			"cursor": func(s *fsm.Session) error { return s.CommitCursor(t.Context()) },
		} {
			k := k
			k.Lane, k.State = k.Lane+":"+what, k.State+":"+what
			commit(t, s, k, at(1), "a", "1")
			session := open(t, s, k, at(2))
			session.SetState("late")
			h.Steal(t, k)
			if err := do(session); !errors.Is(err, fsm.ErrLockLost) {
				t.Errorf("%s: %v", what, err)
			}
			wait(t, "loss of the lock", session.Lost())
			mustClose(t, session)
			if r := peek(t, s, k); r.Cursor != 1 || len(r.Journal) > 0 || r.Attempts != 0 || !r.Locked {
				t.Errorf("%s had effect on the lane: %+v", what, r)
			}
			if r := peek(t, s, k); r.State != "a" && (!h.TwoSteps || !k.Separate()) {
				t.Errorf("%s had effect on the state: %+v", what, r)
			}
		}
	})
}

func stolenNoticed(t *testing.T, h Harness) {
	eachKind(t, func(t *testing.T, k fsm.Keys) {
		p := h.Process(t, Config{LockTTL: lockTTL})
		session := open(t, p.Store, k, at(1))
		select {
		case <-session.Lost():
			t.Fatal("lost before it was stolen")
		default:
		}
		h.Steal(t, k)
		began := time.Now()
		wait(t, "loss of the lock", session.Lost())
		if d := time.Since(began); d > 20*lockTTL {
			t.Errorf("noticed after %v", d)
		}
		refuses(t, session, fsm.ErrLockLost)
		if err := session.Record(t.Context(), 0, nil); !errors.Is(err, fsm.ErrLockLost) {
			t.Errorf("record: %v", err)
		}
	})
}

func stolenState(t *testing.T, h Harness) {
	s := start(t, h).Store
	for _, k := range kinds() {
		if !k.Shared {
			continue
		}
		commit(t, s, k, at(1), "a", "1")
		session := open(t, s, k, at(2))
		session.SetState("late")
		h.StealState(t, k)
		if err := session.Commit(t.Context()); !errors.Is(err, fsm.ErrLockLost) {
			t.Errorf("commit: %v", err)
		}
		mustClose(t, session)
		if r := peek(t, s, k); r.State != "a" || r.Cursor != 1 {
			t.Errorf("had effect: %+v", r)
		}
	}
}

func movedCursor(t *testing.T, h Harness) {
	eachKind(t, func(t *testing.T, k fsm.Keys) {
		s := start(t, h).Store
		commit(t, s, k, at(1), "a", "1")
		session := open(t, s, k, at(2))
		h.MoveCursor(t, k, stream, 2)
		refuses(t, session, fsm.ErrCursorMoved)
		mustClose(t, session)
		checkFenced(t, h, s, k, 2)
	})
}

func changedStream(t *testing.T, h Harness) {
	eachKind(t, func(t *testing.T, k fsm.Keys) {
		s := start(t, h).Store
		commit(t, s, k, at(1), "a", "1")
		session := open(t, s, k, at(2))
		h.MoveCursor(t, k, stream+5, 1)
		refuses(t, session, fsm.ErrStreamChanged)
		mustClose(t, session)
		checkFenced(t, h, s, k, 1)
	})
}

// checkFenced checks that a refused commit left nothing. In two steps it may leave a separate state with a mark.
func checkFenced(t *testing.T, h Harness, s Store, k fsm.Keys, cursor uint64) {
	t.Helper()
	r := peek(t, s, k)
	if r.Cursor != cursor || r.Locked {
		t.Errorf("the refused commit had effect on the lane: %+v", r)
	}
	if r.State != "a" && (!h.TwoSteps || !k.Separate()) {
		t.Errorf("the refused commit had effect on the state: %+v", r)
	}
}

func frozenHolder(t *testing.T, h Harness) {
	eachKind(t, func(t *testing.T, k fsm.Keys) {
		frozen, awake := h.Process(t, Config{LockTTL: lockTTL}), h.Process(t, Config{LockTTL: lockTTL})
		if !frozen.cuts() {
			t.Skip("nothing can be cut")
		}
		session := open(t, frozen.Store, k, at(1))
		session.SetState("frozen")
		frozen.cut()
		next := open(t, awake.Store, k, at(1)) // waits until the lock has expired
		next.SetState("awake")
		wait(t, "loss of the lock", session.Lost())
		frozen.heal()
		if err := session.Record(t.Context(), 0, []byte("late")); !errors.Is(err, fsm.ErrLockLost) {
			t.Errorf("record after the thaw: %v", err)
		}
		refuses(t, session, fsm.ErrLockLost)
		_ = session.Close(t.Context()) // the connection may not be back yet
		mustCommit(t, next)
		if r := peek(t, awake.Store, k); r.State != "awake" || r.Cursor != 1 || r.Locked {
			t.Errorf("got %+v", r)
		}
	})
}

func crashedHolder(t *testing.T, h Harness) {
	eachKind(t, func(t *testing.T, k fsm.Keys) {
		crashed, next := h.Process(t, Config{LockTTL: lockTTL}), h.Process(t, Config{LockTTL: lockTTL})
		if !crashed.cuts() {
			t.Skip("nothing can be cut")
		}
		open(t, crashed.Store, k, at(1))
		crashed.cut()
		began := time.Now()
		mustCommit(t, open(t, next.Store, k, at(1)))
		// A separate state has a lock of its own to wait for, at the same time or after.
		if d := time.Since(began); d > 20*lockTTL {
			t.Errorf("waited %v for a lock of %v", d, lockTTL)
		}
	})
}
