package fsmtest

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/fsm"
)

func doneByCursor(t *testing.T, h Harness) {
	eachKind(t, func(t *testing.T, k fsm.Keys) {
		s := start(t, h).Store
		commit(t, s, k, at(5), "a", "1")
		for _, seq := range []uint64{5, 4} {
			again := open(t, s, k, at(seq))
			if again.DoneBy() != fsm.DoneByCursor {
				t.Fatalf("position %d after 5: done by %q", seq, again.DoneBy())
			}
			again.SetState("twice")
			mustCommit(t, again)
		}
		if r := peek(t, s, k); r.State != "a" || r.Cursor != 5 || r.Locked {
			t.Errorf("a turn that was done changed the record: %+v", r)
		}
		if next := open(t, s, k, at(6)); next.Done() {
			t.Errorf("the next update is done by %q", next.DoneBy())
		}
	})
}

func doneBySeen(t *testing.T, h Harness) {
	s := start(t, h).Store
	k := group()
	commit(t, s, k, at(1), "a", "1")
	window := 24 * time.Hour
	for _, tt := range []struct {
		name   string
		update int64
		after  time.Duration
		done   string
	}{
		{"sent again", at(1).Update, time.Second, fsm.DoneBySeen},
		{"sent again within the window", at(1).Update, window, fsm.DoneBySeen},
		{"sent again after the window", at(1).Update, window + time.Second, ""},
		{"a lower id that is new", at(1).Update - 1, time.Second, ""},
		{"no id", 0, time.Second, ""},
	} {
		p := fsm.Position{Stream: stream, Seq: 9, Update: tt.update, Stored: at(1).Stored.Add(tt.after)}
		session := open(t, s, k, p)
		if session.DoneBy() != tt.done {
			t.Errorf("%s: done by %q, want %q", tt.name, session.DoneBy(), tt.done)
		}
		mustClose(t, session)
	}
	none := fsm.Position{Stream: stream, Seq: 9, Stored: at(9).Stored}
	for range 2 {
		commit(t, s, k, none, "b", "2")
		none.Seq++
	}
	if r := peek(t, s, k); r.State != "b" || r.Cursor != 10 {
		t.Errorf("updates without an id are taken for each other: %+v", r)
	}
}

// doneTogether: an album is one turn, at its first part. Updates between its parts are not passed over.
func doneTogether(t *testing.T, h Harness) {
	eachKind(t, func(t *testing.T, k fsm.Keys) {
		s := start(t, h).Store
		album := open(t, s, k, at(5))
		album.Also(at(6).Update, at(8).Update)
		album.SetState("a")
		mustCommit(t, album)
		for seq, done := range map[uint64]string{
			5: fsm.DoneByCursor, 6: fsm.DoneBySeen, 7: "", 8: fsm.DoneBySeen, 9: "",
		} {
			session := open(t, s, k, at(seq))
			if session.DoneBy() != done {
				t.Errorf("position %d is done by %q, want %q", seq, session.DoneBy(), done)
			}
			mustClose(t, session)
		}
		dead := open(t, s, k, at(9))
		dead.Also(at(11).Update)
		if err := dead.CommitCursor(t.Context()); err != nil {
			t.Fatalf("commit cursor: %v", err)
		}
		if session := open(t, s, k, at(11)); session.DoneBy() != fsm.DoneBySeen {
			t.Errorf("done by %q after a commit of the cursor alone", session.DoneBy())
		}
	})
}

func seenBounded(t *testing.T, h Harness) {
	s := h.Process(t, Config{LockTTL: lockTTLLong, SeenMax: 5}).Store
	k := group()
	for seq := range uint64(8) {
		commit(t, s, k, at(seq+1), "a", string(rune('0'+seq)))
	}
	for seq := uint64(1); seq <= 8; seq++ {
		session := open(t, s, k, fsm.Position{Stream: stream, Seq: 99, Update: at(seq).Update, Stored: at(9).Stored})
		if want := seq > 3; session.Done() != want {
			t.Errorf("of 8 ids with room for 5, number %d: done %v", seq, session.Done())
		}
		mustClose(t, session)
	}
}

func newStream(t *testing.T, h Harness) {
	eachKind(t, func(t *testing.T, k fsm.Keys) {
		s := start(t, h).Store
		commit(t, s, k, at(500), "a", "1")
		fresh := fsm.Position{Stream: stream + 1, Seq: 1, Update: 7, Stored: at(501).Stored}
		session := open(t, s, k, fresh)
		if session.Done() || session.State() != "a" {
			t.Fatalf("under a new stream: done by %q, state %q", session.DoneBy(), session.State())
		}
		session.SetState("b")
		mustCommit(t, session)
		if r := peek(t, s, k); r.Stream != stream+1 || r.Cursor != 1 || r.State != "b" {
			t.Errorf("got %+v", r)
		}
		again := fsm.Position{Stream: stream + 1, Seq: 2, Update: at(500).Update, Stored: at(502).Stored}
		if s := open(t, s, k, again); s.DoneBy() != fsm.DoneBySeen {
			t.Errorf("an update of the old stream, sent again: done by %q", s.DoneBy())
		}
	})
}

func olderStream(t *testing.T, h Harness) {
	s := start(t, h).Store
	commit(t, s, group(), at(5), "a", "1")
	_, err := s.Open(t.Context(), group(), fsm.Position{Stream: stream - 1, Seq: 900, Update: 1, Stored: at(6).Stored})
	if !errors.Is(err, fsm.ErrStreamChanged) {
		t.Errorf("a position of an older stream: %v", err)
	}
	if r := peek(t, s, group()); r.Locked || r.Cursor != 5 {
		t.Errorf("after the refusal: %+v", r)
	}
}

func journalThrough(t *testing.T, h Harness) {
	eachKind(t, func(t *testing.T, k fsm.Keys) {
		s := start(t, h).Store
		first := open(t, s, k, at(1))
		for i, entry := range []string{"intent", "one", "two"} {
			if err := first.Record(t.Context(), max(i-1, 0), []byte(entry)); err != nil {
				t.Fatalf("record: %v", err)
			}
		}
		if e, ok := first.Recall(0); !ok || string(e) != "one" {
			t.Errorf("recall in the same attempt: %q, %v", e, ok)
		}
		if r := peek(t, s, k); string(r.Journal[0]) != "one" || string(r.Journal[1]) != "two" {
			t.Errorf("not written through: %v", r.Journal)
		}
		mustClose(t, first)

		second := open(t, s, k, at(1))
		if e, ok := second.Recall(1); !ok || string(e) != "two" {
			t.Errorf("recall in the next attempt: %q, %v", e, ok)
		}
		if _, ok := second.Recall(2); ok {
			t.Error("recalled what nobody recorded")
		}
		mustCommit(t, second)
		if r := peek(t, s, k); len(r.Journal) > 0 {
			t.Errorf("after the commit: %v", r.Journal)
		}
		if _, ok := open(t, s, k, at(2)).Recall(0); ok {
			t.Error("the next turn recalls the last one's call")
		}
	})
}

func journalOfOther(t *testing.T, h Harness) {
	s := start(t, h).Store
	for i, other := range []fsm.Position{at(1), at(2), {Stream: stream + 1, Seq: 2, Update: 5, Stored: at(2).Stored}} {
		session := open(t, s, group(), other)
		if _, ok := session.Recall(0); ok || session.Attempts() != 0 {
			t.Errorf("position %d of %d found another's journal", other.Seq, other.Stream)
		}
		for _, index := range []int{0, 10 + i} {
			if err := session.Record(t.Context(), index, []byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		mustClose(t, session)
		session = open(t, s, group(), other)
		for index := range 20 {
			if _, ok := session.Recall(index); ok != (index == 0 || index == 10+i) {
				t.Errorf("position %d of %d, entry %d: recalled %v", other.Seq, other.Stream, index, ok)
			}
		}
		if err := session.Fail(t.Context(), 3); err != nil {
			t.Fatal(err)
		}
		mustClose(t, session)
	}
}

// After lost acknowledgements, updates that are done come again before the interrupted one.
func journalOutlivesSkip(t *testing.T, h Harness) {
	eachKind(t, func(t *testing.T, k fsm.Keys) {
		s := start(t, h).Store
		commit(t, s, k, at(5), "a", "1")
		left := open(t, s, k, at(6))
		for index, size := range []int{1, 100 << 10} {
			if err := left.Record(t.Context(), index, make([]byte, size)); err != nil {
				t.Fatal(err)
			}
		}
		if err := left.Fail(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		mustClose(t, left)
		for _, seq := range []uint64{4, 5} {
			again := open(t, s, k, at(seq))
			if !again.Done() {
				t.Fatalf("position %d after 5 is not done", seq)
			}
			mustCommit(t, again)
		}
		session := open(t, s, k, at(6))
		for index, size := range []int{1, 100 << 10} {
			if e, ok := session.Recall(index); !ok || len(e) != size {
				t.Errorf("call %d: %d bytes, %v", index, len(e), ok)
			}
		}
		if session.Attempts() != 2 {
			t.Errorf("%d attempts", session.Attempts())
		}
	})
}

func journalLarge(t *testing.T, h Harness) {
	s := start(t, h).Store
	entry := func(i int) []byte { return bytes.Repeat([]byte{byte('a' + i%26)}, 3000*(1+i%9)) }
	first := open(t, s, group(), at(1))
	before := h.Keys(t)
	const calls = 60
	for i := range calls {
		if err := first.Record(t.Context(), i, entry(i)); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
	}
	mustClose(t, first)
	second := open(t, s, group(), at(1))
	for i := range calls {
		if e, ok := second.Recall(i); !ok || !bytes.Equal(e, entry(i)) {
			t.Fatalf("entry %d: %d bytes, %v", i, len(e), ok)
		}
	}
	mustCommit(t, second)
	if after := h.Keys(t); after > before+1 { // one lane was perhaps not stored yet
		t.Errorf("%d records before the turn, %d after", before, after)
	}
}

func attempts(t *testing.T, h Harness) {
	s := start(t, h).Store
	for n := range 3 {
		session := open(t, s, group(), at(1))
		if session.Attempts() != n {
			t.Errorf("attempt %d finds %d", n, session.Attempts())
		}
		if err := session.Record(t.Context(), n, []byte("x")); err != nil {
			t.Fatal(err)
		}
		if err := session.Fail(t.Context(), n+1); err != nil {
			t.Fatalf("fail: %v", err)
		}
		mustClose(t, session)
	}
	last := open(t, s, group(), at(1))
	if _, ok := last.Recall(2); !ok {
		t.Error("noting an attempt lost the journal")
	}
	mustCommit(t, last)
	if n := open(t, s, group(), at(2)).Attempts(); n != 0 {
		t.Errorf("the next update begins with %d attempts", n)
	}
}
