package fsmtest

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chatlane/chatlane/internal/fsm"
)

func committedIsLoaded(t *testing.T, h Harness) {
	eachKind(t, func(t *testing.T, k fsm.Keys) {
		s := start(t, h).Store
		first := open(t, s, k, at(1))
		if first.State() != "" || len(first.Data()) > 0 || len(first.Meta()) > 0 || first.Done() || first.Attempts() != 0 {
			t.Errorf("a new lane is not empty: %q %q %q", first.State(), first.Data(), first.Meta())
		}
		data := []byte("\x00\xff{\"name\":\"Ada\"}")
		first.SetState("start:age")
		first.SetData(data)
		first.SetMeta([]byte(`{"v":3}`))
		mustCommit(t, first)

		second := open(t, s, k, at(2))
		got := []string{second.State(), string(second.Data()), string(second.Meta())}
		if diff := cmp.Diff([]string{"start:age", string(data), `{"v":3}`}, got); diff != "" {
			t.Errorf("loaded state differs (-want +got):\n%s", diff)
		}
		mustCommit(t, second)
		r := peek(t, s, k)
		want := fsm.Record{Stream: stream, Cursor: 2, State: "start:age", Data: data, Meta: []byte(`{"v":3}`)}
		if diff := cmp.Diff(want, r, cmp.FilterValues(func(a, b map[int][]byte) bool { return len(a)+len(b) == 0 }, cmp.Ignore())); diff != "" {
			t.Errorf("record differs after a turn that changed nothing (-want +got):\n%s", diff)
		}
	})
}

func bufferedUntilCommit(t *testing.T, h Harness) {
	s := start(t, h).Store
	commit(t, s, group(), at(1), "a", "1")
	session := open(t, s, group(), at(2))
	session.SetState("b")
	session.SetData([]byte("2"))
	if session.State() != "b" || string(session.Data()) != "2" {
		t.Errorf("the turn does not see its own changes: %q %q", session.State(), session.Data())
	}
	if r := peek(t, s, group()); r.State != "a" || string(r.Data) != "1" || r.Cursor != 1 || !r.Locked {
		t.Errorf("before the commit the store has %+v", r)
	}
	mustClose(t, session)
	if r := peek(t, s, group()); r.State != "a" || string(r.Data) != "1" || r.Cursor != 1 || r.Locked {
		t.Errorf("after closing without a commit the store has %+v", r)
	}
}

func finishedVanish(t *testing.T, h Harness) {
	eachKindAlone(t, func(t *testing.T, k fsm.Keys) {
		s := start(t, h).Store
		commit(t, s, k, at(1), "a", "1")
		before := h.Keys(t)
		session := open(t, s, k, at(2))
		session.SetState("")
		session.SetData(nil)
		session.SetMeta([]byte("bookkeeping of nothing"))
		mustCommit(t, session)
		if r := peek(t, s, k); r.State != "" || len(r.Data) > 0 || len(r.Meta) > 0 || r.Cursor != 2 {
			t.Errorf("left behind: %+v", r)
		}
		if after := h.Keys(t); after != before-1 {
			t.Errorf("%d records before the conversation ended, %d after: want one less", before, after)
		}
		commit(t, s, k, at(3), "again", "3")
		if r := peek(t, s, k); r.State != "again" || len(r.Meta) > 0 {
			t.Errorf("a new conversation is %+v", r)
		}
	})
}

func withoutState(t *testing.T, h Harness) {
	s := start(t, h).Store
	k := fsm.Keys{Lane: "42:p:99", Home: "42:p:99"}
	for seq := range uint64(3) {
		session := open(t, s, k, at(seq+1))
		session.SetState("nobody's")
		mustCommit(t, session)
	}
	if r := peek(t, s, k); r.Cursor != 3 || r.State != "" {
		t.Errorf("got %+v", r)
	}
}

func closedHasNoEffect(t *testing.T, h Harness) {
	eachKind(t, func(t *testing.T, k fsm.Keys) {
		s := start(t, h).Store
		closed, committed := open(t, s, k, at(1)), (*fsm.Session)(nil)
		mustClose(t, closed)
		mustClose(t, closed)
		committed = open(t, s, k, at(1))
		committed.SetState("a")
		mustCommit(t, committed)
		mustClose(t, committed)
		for name, late := range map[string]*fsm.Session{"closed": closed, "committed": committed} {
			late.SetState("late")
			late.SetData([]byte("late"))
			for what, err := range map[string]error{
				"record": late.Record(t.Context(), 0, []byte("late")),
				"fail":   late.Fail(t.Context(), 9),
				"commit": late.Commit(t.Context()),
				"cursor": late.CommitCursor(t.Context()),
			} {
				if !errors.Is(err, fsm.ErrClosed) {
					t.Errorf("%s of a %s session: %v", what, name, err)
				}
			}
		}
		if r := peek(t, s, k); r.State != "a" || len(r.Journal) > 0 || r.Attempts != 0 || r.Cursor != 1 {
			t.Errorf("got %+v", r)
		}
	})
}

func cursorAlone(t *testing.T, h Harness) {
	eachKind(t, func(t *testing.T, k fsm.Keys) {
		s := start(t, h).Store
		commit(t, s, k, at(1), "a", "1")
		dead := open(t, s, k, at(2))
		if err := dead.Record(t.Context(), 0, []byte("made")); err != nil {
			t.Fatal(err)
		}
		if err := dead.Fail(t.Context(), 5); err != nil {
			t.Fatal(err)
		}
		dead.SetState("b")
		dead.SetData([]byte("2"))
		if err := dead.CommitCursor(t.Context()); err != nil {
			t.Fatalf("commit the cursor: %v", err)
		}
		r := peek(t, s, k)
		if r.State != "a" || string(r.Data) != "1" || r.Cursor != 2 || len(r.Journal) > 0 || r.Attempts != 0 || r.Locked {
			t.Errorf("got %+v", r)
		}
		again := open(t, s, k, fsm.Position{Stream: stream, Seq: 3, Update: at(2).Update, Stored: at(3).Stored})
		if again.DoneBy() != fsm.DoneBySeen {
			t.Errorf("the dead letter's update id is not remembered: done by %q", again.DoneBy())
		}
	})
}

func forget(t *testing.T, h Harness) {
	eachKindAlone(t, func(t *testing.T, k fsm.Keys) {
		s := start(t, h).Store
		before := h.Keys(t)
		commit(t, s, k, at(1), "a", "1")
		session := open(t, s, k, at(2))
		for i := range 3 {
			if err := session.Record(t.Context(), i, make([]byte, 20<<10)); err != nil {
				t.Fatal(err)
			}
		}
		mustClose(t, session)
		if err := s.Forget(t.Context(), k); err != nil {
			t.Fatalf("forget: %v", err)
		}
		if after := h.Keys(t); after != before {
			t.Errorf("%d records before, %d after", before, after)
		}
		session = open(t, s, k, at(1))
		if session.Done() || session.State() != "" {
			t.Errorf("remembered: %q, done by %q", session.State(), session.DoneBy())
		}
	})
}

func move(t *testing.T, h Harness) {
	s := start(t, h).Store
	old, fresh := group(), fsm.Keys{Lane: "42:c:-200", Home: "42:c:-200", State: "42:c:-200:u:7", StateHome: "42:c:-200"}
	commit(t, s, old, at(1), "a", "1")
	for i, want := range []bool{true, false} {
		moved, err := s.Move(t.Context(), old, fresh)
		if err != nil || moved != want {
			t.Errorf("move %d: %v, %v", i, moved, err)
		}
	}
	if r := peek(t, s, old); r.State != "" || r.Cursor != 1 || r.Locked {
		t.Errorf("the old one is %+v", r)
	}
	if r := peek(t, s, fresh); r.State != "a" || string(r.Data) != "1" || r.Locked {
		t.Errorf("the new one is %+v", r)
	}
	commit(t, s, old, at(2), "b", "2")
	if moved, err := s.Move(t.Context(), old, fresh); err != nil || moved {
		t.Errorf("moved onto another state: %v, %v", moved, err)
	}
	if r := peek(t, s, fresh); r.State != "a" {
		t.Errorf("the new one was overwritten: %+v", r)
	}
}

func ping(t *testing.T, h Harness) {
	p := start(t, h)
	if err := p.Store.Ping(t.Context()); err != nil {
		t.Errorf("ping: %v", err)
	}
	if !p.cuts() {
		return
	}
	p.cut()
	ctx, cancel := context.WithTimeout(t.Context(), lockTTL)
	defer cancel()
	if err := p.Store.Ping(ctx); !errors.Is(err, fsm.ErrUnavailable) {
		t.Errorf("ping while cut off: %v", err)
	}
}
