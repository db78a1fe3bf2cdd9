package queue_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/broker/natstest"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/queue"
)

func letter(chat, update int64, reason string) queue.DeadLetter {
	s := lane.Scope{Bot: 42, Kind: lane.KindChat, Chat: chat, User: 7}
	at := time.UnixMilli(1_700_000_000_000 + update)
	return queue.DeadLetter{
		Bot: 42, Update: update, Type: "message", Scope: s, Lane: lane.ByChat.Key(s), Seq: uint64(update),
		Reason: reason, Error: "handler said\nno", Stack: "goroutine 1\n\tmain.go:7", Attempts: 5,
		Received: at, First: at.Add(time.Second), Died: at.Add(time.Minute), Trace: "abc", Body: []byte(`{"update_id":1}`),
	}
}

func TestDeadLetterKeepsWhatAPersonNeeds(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := connect(t, s)
		defer c.Close(t.Context())
		d := queue.NewDeadLetters(c)
		want := letter(100, 1, queue.ReasonPanic)
		for range 2 { // the second is the same letter, from an attempt whose answer was lost
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
		if _, err := d.Get(t.Context(), 2); !errors.Is(err, queue.ErrNotFound) {
			t.Errorf("second letter: %v, want none", err)
		}
	})
}

func TestDeadLettersAreFilteredAndReplayedInOrder(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := connect(t, s)
		defer c.Close(t.Context())
		d, p := queue.NewDeadLetters(c), queue.NewPublisher(c, 1, nil)
		for i := int64(1); i <= 6; i++ {
			reason := queue.ReasonError
			if i == 6 {
				reason = queue.ReasonPanic
			}
			if err := d.Put(t.Context(), letter(100+i%2, i, reason)); err != nil {
				t.Fatal(err)
			}
		}
		count := func(f queue.Filter) (n int) {
			for _, err := range d.All(t.Context(), f) {
				if err != nil {
					t.Fatal(err)
				}
				n++
			}
			return n
		}
		for want, f := range map[int]queue.Filter{
			6: {}, 3: {Chat: 101}, 1: {Reason: queue.ReasonPanic}, 0: {Bot: 43},
			2: {Bot: 42, Lane: "42:c:100", Until: time.UnixMilli(1_700_000_000_000 + 5).Add(time.Minute)},
		} {
			if got := count(f); got != want {
				t.Errorf("filter %+v gives %d letters, want %d", f, got, want)
			}
		}
		for l, err := range d.All(t.Context(), queue.Filter{Chat: 101}) {
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Replay(t.Context(), l); err != nil {
				t.Fatal(err)
			}
		}
		var j journal
		stop := start(t, c, j.turn)
		time.Sleep(time.Second)
		stop()
		if diff := cmp.Diff([]int64{1, 3, 5}, j.seen()); diff != "" {
			t.Errorf("replayed (-want +got):\n%s", diff)
		}
		if left := count(queue.Filter{}); left != 3 {
			t.Errorf("%d letters left, want 3", left)
		}
	})
}

func TestRejectedBodyIsKeptAndNeverReplayed(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := connect(t, s)
		defer c.Close(t.Context())
		p := queue.NewPublisher(c, 1, nil)
		if err := p.Reject(t.Context(), 42, []byte("{"), "not_json"); err != nil {
			t.Fatal(err)
		}
		l, err := queue.NewDeadLetters(c).Get(t.Context(), 1)
		if err != nil || string(l.Body) != "{" || l.Reason != queue.ReasonUnreadable || l.Error != "not_json" || l.Bot != 42 {
			t.Errorf("letter %+v, %v", l, err)
		}
		if err := p.Replay(t.Context(), l); !errors.Is(err, queue.ErrUnroutable) {
			t.Errorf("replay: %v, want ErrUnroutable", err)
		}
	})
}

func TestPublishingTwiceStoresOnce(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := connect(t, s)
		defer c.Close(t.Context())
		publish(t, c, 1, 5)
		publish(t, c, 3, 7)
		depth, err := c.Depth(t.Context())
		if err != nil || depth.Queued != 7 {
			t.Errorf("queued %d, %v; want 7", depth.Queued, err)
		}
	})
}
