package deadletter_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/broker/natstest"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/queue/deadletter"
)

func letter(chat, update int64, reason string) deadletter.Letter {
	s := lane.Scope{Bot: 42, Kind: lane.KindChat, Chat: chat, User: 7}
	at := time.UnixMilli(1_700_000_000_000 + update)
	return deadletter.Letter{
		Bot: 42, Update: update, Type: "message", Scope: s, Lane: lane.ByChat.Key(s), Seq: uint64(update),
		Reason: reason, Error: "handler said\nno", Stack: "goroutine 1\n\tmain.go:7", Attempts: 5,
		Received: at, First: at.Add(time.Second), Died: at.Add(time.Minute), Trace: "abc", Body: []byte(`{"update_id":1}`),
	}
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func connect(t *testing.T, s *embedded.Server) *broker.Conn {
	t.Helper()
	c, err := broker.Connect(t.Context(), broker.Config{Options: []nats.Option{s.Option()}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Ensure(t.Context(), broker.Topology{Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	return c
}

func updates(t *testing.T, c *broker.Conn) (ids []int64) {
	t.Helper()
	s, err := c.Stream(t.Context(), broker.Names{}.Updates())
	if err != nil {
		t.Fatal(err)
	}
	for seq := uint64(1); seq <= s.CachedInfo().State.LastSeq; seq++ {
		m, err := s.GetMsg(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		u, err := queue.DecodeUpdate(m.Subject, m.Header, m.Data)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, u.ID)
	}
	return ids
}

func TestDeadLetterKeepsWhatAPersonNeeds(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := connect(t, s)
		defer c.Close(t.Context())
		d := deadletter.New(c)
		want := letter(100, 1, deadletter.ReasonPanic)
		for range 2 { // the second is the same letter after a lost answer
			if err := d.Put(t.Context(), want); err != nil {
				t.Fatal(err)
			}
		}
		got, err := d.Get(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		want.ID, want.Error = 1, "handler said?no"
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("dead letter (-want +got):\n%s", diff)
		}
		if _, err := d.Get(t.Context(), 2); !errors.Is(err, deadletter.ErrNotFound) {
			t.Errorf("second letter: %v, want none", err)
		}
	})
}

func TestDeadLettersAreFilteredAndReplayedInOrder(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := connect(t, s)
		defer c.Close(t.Context())
		d, p := deadletter.New(c), queue.NewPublisher(c, 1, nil)
		for i := int64(1); i <= 6; i++ {
			reason := deadletter.ReasonError
			if i == 6 {
				reason = deadletter.ReasonPanic
			}
			if err := d.Put(t.Context(), letter(100+i%2, i, reason)); err != nil {
				t.Fatal(err)
			}
		}
		count := func(f deadletter.Filter) (n int) {
			for _, err := range d.All(t.Context(), f) {
				if err != nil {
					t.Fatal(err)
				}
				n++
			}
			return n
		}
		for want, f := range map[int]deadletter.Filter{
			6: {}, 3: {Chat: 101}, 1: {Reason: deadletter.ReasonPanic}, 0: {Bot: 43},
			2: {Bot: 42, Lane: "42:c:100", Until: time.UnixMilli(1_700_000_000_000 + 5).Add(time.Minute)},
		} {
			if got := count(f); got != want {
				t.Errorf("filter %+v gives %d letters, want %d", f, got, want)
			}
		}
		for l, err := range d.All(t.Context(), deadletter.Filter{Chat: 101}) {
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Replay(t.Context(), p, l, false); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff([]int64{1, 3, 5}, updates(t, c)); diff != "" {
			t.Errorf("replayed (-want +got):\n%s", diff)
		}
		if left := count(deadletter.Filter{}); left != 3 {
			t.Errorf("%d letters left, want 3", left)
		}
	})
}

func TestRejectedBodyIsKeptAndNeverReplayed(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := connect(t, s)
		defer c.Close(t.Context())
		p := queue.NewPublisher(c, 1, nil)
		if err := deadletter.New(c).Reject(t.Context(), 42, []byte("{"), "not_json"); err != nil {
			t.Fatal(err)
		}
		l, err := deadletter.New(c).Get(t.Context(), 1)
		if err != nil || string(l.Body) != "{" || l.Reason != deadletter.ReasonUnreadable || l.Error != "not_json" || l.Bot != 42 {
			t.Errorf("letter %+v, %v", l, err)
		}
		if err := deadletter.New(c).Replay(t.Context(), p, l, false); !errors.Is(err, deadletter.ErrUnroutable) {
			t.Errorf("replay: %v, want ErrUnroutable", err)
		}
	})
}

// A letter keeps its journal, and says so where it is too large for the broker: then only a
// fresh replay is possible.
func TestLetterKeepsItsJournalOrSaysThatItDoesNot(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := connect(t, s)
		defer c.Close(t.Context())
		d, p := deadletter.New(c), queue.NewPublisher(c, 1, nil)
		small, large := letter(100, 1, deadletter.ReasonError), letter(100, 2, deadletter.ReasonError)
		small.Journal, large.Journal = []byte("journal"), make([]byte, c.MaxPayload()-16<<10)
		for i, l := range []deadletter.Letter{small, large} {
			if err := d.Put(t.Context(), l); err != nil {
				t.Fatal(err)
			}
			got, err := d.Get(t.Context(), uint64(i+1))
			if err != nil || string(got.Body) != string(l.Body) || got.JournalLost != (i == 1) || string(got.Journal) != string(small.Journal[:len(got.Journal)]) || len(got.Journal) > 0 == (i == 1) {
				t.Errorf("letter %d: body %q, journal %q, lost %v, %v", i+1, got.Body, got.Journal, got.JournalLost, err)
			}
		}
		for l, err := range d.All(t.Context(), deadletter.Filter{HeadersOnly: true}) {
			if err != nil || len(l.Body) > 0 || l.JournalLost != (l.Update == 2) {
				t.Errorf("headers of %+v, %v", l, err)
			}
		}
		l, err := d.Get(t.Context(), 2)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Replay(t.Context(), p, l, false); !errors.Is(err, deadletter.ErrJournalLost) {
			t.Errorf("replay of a letter without its journal: %v, want ErrJournalLost", err)
		}
		if err := d.Replay(t.Context(), p, l, true); err != nil {
			t.Errorf("fresh replay: %v", err)
		}
	})
}
