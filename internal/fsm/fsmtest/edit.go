package fsmtest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chatlane/chatlane/internal/fsm"
)

func replace(state, data, meta string) func(*fsm.Conversation) error {
	return func(c *fsm.Conversation) error {
		*c = fsm.Conversation{State: state, Data: []byte(data), Meta: []byte(meta)}
		return nil
	}
}

func mustEdit(t *testing.T, s Store, k fsm.Keys, change func(*fsm.Conversation) error) {
	t.Helper()
	if err := s.Edit(t.Context(), k, change); err != nil {
		t.Fatalf("edit %s: %v", k.State, err)
	}
}

func edit(t *testing.T, h Harness) {
	eachKindAlone(t, func(t *testing.T, k fsm.Keys) {
		s := start(t, h).Store
		empty := h.Keys(t)
		mustEdit(t, s, k, replace("a", "1", "m"))
		if session := open(t, s, k, at(1)); session.State() != "a" || string(session.Data()) != "1" || string(session.Meta()) != "m" {
			t.Errorf("the first turn finds %q, %q, %q", session.State(), session.Data(), session.Meta())
		} else {
			session.SetState("b")
			mustCommit(t, session)
		}
		failed := open(t, s, k, at(2))
		if err := errors.Join(failed.Record(t.Context(), 0, []byte("made")), failed.Fail(t.Context(), 3)); err != nil {
			t.Fatal(err)
		}
		mustClose(t, failed)
		why := errors.New("not what the person saw")
		if err := s.Edit(t.Context(), k, func(c *fsm.Conversation) error { c.State = "z"; return why }); !errors.Is(err, why) {
			t.Errorf("edit that is given up: %v", err)
		}
		mustEdit(t, s, k, func(c *fsm.Conversation) error {
			if c.State != "b" || string(c.Data) != "1" || string(c.Meta) != "m" {
				t.Errorf("edit finds %+v", c)
			}
			c.State, c.Data = "c", []byte("2")
			return nil
		})
		want := fsm.Record{
			Stream: stream, Cursor: 1, State: "c", Data: []byte("2"), Meta: []byte("m"),
			Journal: map[int][]byte{0: []byte("made")}, Turn: at(2).ID(), Attempts: 3,
		}
		if diff := cmp.Diff(want, peek(t, s, k)); diff != "" {
			t.Errorf("record differs after an edit (-want +got):\n%s", diff)
		}
		editEnds(t, h, s, k, empty)
	})
}

// editEnds ends the conversation of k, whose lane was committed once.
func editEnds(t *testing.T, h Harness, s Store, k fsm.Keys, empty int) {
	t.Helper()
	before := h.Keys(t)
	for range 2 { // the second finds nothing
		mustEdit(t, s, k, replace("", "", "meta alone is nothing"))
	}
	if r := peek(t, s, k); r.State != "" || len(r.Data) > 0 || len(r.Meta) > 0 || r.Cursor != 1 || r.Locked {
		t.Errorf("left of the conversation: %+v", r)
	}
	if after := h.Keys(t); after != before-1 || empty >= after {
		t.Errorf("%d records, %d before the end of the conversation: want one less", after, before)
	}
	if err := s.Edit(t.Context(), fsm.Keys{Lane: k.Lane, Home: k.Home}, replace("a", "", "")); !errors.Is(err, fsm.ErrNoState) {
		t.Errorf("edit without a state: %v", err)
	}
}

func editWaits(t *testing.T, h Harness) {
	eachKind(t, func(t *testing.T, k fsm.Keys) {
		worker, operator := start(t, h).Store, start(t, h).Store
		holder := open(t, worker, k, at(1))
		holder.SetState("a")
		never := func(*fsm.Conversation) error { t.Error("edits while a turn runs"); return nil }
		peek(t, operator, k) // it has its connections now
		ctx, cancel := context.WithTimeout(t.Context(), lockTTL/2)
		err := operator.Edit(ctx, k, never)
		cancel()
		if !errors.Is(err, fsm.ErrBusy) {
			t.Errorf("edit while a turn runs: %v", err)
		}
		done := make(chan error, 1)
		go func() {
			done <- operator.Edit(t.Context(), k, func(c *fsm.Conversation) error {
				if c.State != "a" {
					t.Errorf("edit finds %q: read before the turn had ended", c.State)
				}
				c.State = "b"
				return nil
			})
		}()
		mustCommit(t, holder)
		if err := <-done; err != nil {
			t.Fatalf("edit after the turn: %v", err)
		}
		if r := peek(t, worker, k); r.State != "b" || r.Cursor != 1 || r.Locked {
			t.Errorf("got %+v", r)
		}
	})
}

func editRefuses(t *testing.T, h Harness) {
	eachKind(t, func(t *testing.T, k fsm.Keys) {
		frozen, operator := h.Process(t, Config{LockTTL: lockTTL}), h.Process(t, Config{LockTTL: lockTTL})
		if !frozen.cuts() {
			t.Skip("nothing can be cut")
		}
		session := open(t, frozen.Store, k, at(1))
		session.SetState("frozen")
		frozen.cut()
		mustEdit(t, operator.Store, k, replace("edited", "", "")) // waits until the lock has expired
		wait(t, "the frozen turn's loss of its lock", session.Lost())
		frozen.heal()
		refuses(t, session, fsm.ErrLockLost)
		_ = session.Close(t.Context()) // the connection may not be back yet
		if r := peek(t, operator.Store, k); r.State != "edited" || r.Cursor != 0 || r.Locked {
			t.Errorf("got %+v", r)
		}
	})
}

// A turn that died between its two steps is found done, even if a person has edited its state meanwhile.
func crashThenEdit(t *testing.T, h Harness) {
	var byState atomic.Int32
	eachCut(t, h, func(t *testing.T, h Harness, k fsm.Keys, arm func(Process)) {
		crashing, next := h.Process(t, Config{LockTTL: lockTTL}), h.Process(t, Config{LockTTL: 4 * lockTTL})
		session := open(t, crashing.Store, k, at(1))
		count(session)
		arm(crashing)
		_ = briefly(t, session.Commit)
		crashing.Wire.Cut()
		mustEdit(t, next.Store, k, replace("counting", "10", ""))
		want := "10"
		switch finishTurn(t, next.Store, k, at(1)) {
		case fsm.DoneByState:
			byState.Add(1)
		case "":
			want = "11"
		}
		if r := peek(t, next.Store, k); string(r.Data) != want || r.Cursor != 1 {
			t.Errorf("an edit after a crash: %+v, want %s", r, want)
		}
	})
	if h.TwoSteps && byState.Load() == 0 {
		t.Error("no cut fell between the two steps")
	}
}
