package deadletter_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/broker/natstest"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/queue/deadletter"
)

// putNewer stores a letter of chat 100 with another version's envelope.
func putNewer(t *testing.T, c *broker.Conn, update int64) {
	t.Helper()
	_, err := c.JetStream().PublishMsg(t.Context(), &nats.Msg{
		Subject: "dead.0.42.c:100", Data: []byte("?"),
		Header: nats.Header{
			"Chatlane-Envelope": {fmt.Sprintf("2 %d of another form", update)}, "Chatlane-Reason": {deadletter.ReasonError},
			queue.HeaderSequence: {fmt.Sprint(update)}, queue.HeaderStream: {"0"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// consumers counts what readers left at the broker.
func consumers(t *testing.T, c *broker.Conn, stream string) int {
	t.Helper()
	s, err := c.Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().State.Consumers
}

func TestUnreadableLetterHidesNoOther(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := connect(t, s)
		defer c.Close(t.Context())
		d := deadletter.New(c)
		put := func(update int64) {
			if err := d.Put(t.Context(), letter(100, update, deadletter.ReasonError)); err != nil {
				t.Fatal(err)
			}
		}
		put(1)
		putNewer(t, c, 2)
		put(3)
		var read []int64
		var skipped []uint64
		for l, err := range d.All(t.Context(), deadletter.Filter{Lane: "42:c:100"}) {
			switch {
			case errors.Is(err, deadletter.ErrUnreadable):
				skipped = append(skipped, l.ID)
			case err != nil:
				t.Fatal(err)
			default:
				read = append(read, l.Update)
			}
		}
		if !slices.Equal(read, []int64{1, 3}) || !slices.Equal(skipped, []uint64{2}) {
			t.Errorf("read updates %v and skipped letters %v, want 1 and 3, and letter 2", read, skipped)
		}
		for update, want := range map[int64]bool{1: true, 2: true, 3: true, 4: false} {
			if has, err := d.Has(t.Context(), letter(100, update, deadletter.ReasonError)); has != want || err != nil {
				t.Errorf("letter of update %d: stored %v, %v; want %v", update, has, err, want)
			}
		}
		if err := d.Drop(t.Context(), 2); err != nil {
			t.Errorf("drop of a letter that cannot be read: %v", err)
		}
		if err := d.Drop(t.Context(), 2); !errors.Is(err, deadletter.ErrNotFound) {
			t.Errorf("drop of a letter that is gone: %v, want ErrNotFound", err)
		}
	})
}

func TestUnreadableLetterOfAnotherReasonIsNotReported(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := connect(t, s)
		defer c.Close(t.Context())
		putNewer(t, c, 1)
		for l, err := range deadletter.New(c).All(t.Context(), deadletter.Filter{Reason: deadletter.ReasonCrash}) {
			t.Errorf("reported: %+v, %v", l, err)
		}
	})
}

func TestListingsLeaveNothingAtTheBroker(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := connect(t, s)
		defer c.Close(t.Context())
		d := deadletter.New(c)
		for i := int64(1); i <= 100; i++ {
			if err := d.Put(t.Context(), letter(100+i%2, i, deadletter.ReasonError)); err != nil {
				t.Fatal(err)
			}
		}
		for range 5 {
			n := 0
			for _, err := range d.All(t.Context(), deadletter.Filter{}) {
				if n++; err != nil {
					t.Fatal(err)
				}
				if left := consumers(t, c, broker.Names{}.DeadLetters()); left != 0 {
					t.Fatalf("%d consumers while letters are worked on, want none", left)
				}
			}
			if n != 100 {
				t.Errorf("%d letters listed, want 100", n)
			}
			for _, err := range d.All(t.Context(), deadletter.Filter{}) {
				if err != nil {
					t.Fatal(err)
				}
				break // a reader that has seen enough
			}
			if _, err := d.Has(t.Context(), letter(100, 77, deadletter.ReasonError)); err != nil {
				t.Fatal(err)
			}
		}
		if n := consumers(t, c, broker.Names{}.DeadLetters()); n != 0 {
			t.Errorf("%d consumers are left of the listings, want none", n)
		}
	})
}

// So a replay of everything ends, also if each update becomes a dead letter again at once.
func TestListingEndsThoughLettersComeBack(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := connect(t, s)
		defer c.Close(t.Context())
		d := deadletter.New(c)
		for i := int64(1); i <= 40; i++ {
			if err := d.Put(t.Context(), letter(100, i, deadletter.ReasonError)); err != nil {
				t.Fatal(err)
			}
		}
		n := 0
		for l, err := range d.All(t.Context(), deadletter.Filter{}) {
			if n++; err != nil || n > 40 {
				t.Fatalf("letter %d of 40: %v", n, err)
			}
			l.Seq += 1000
			if err := errors.Join(d.Put(t.Context(), l), d.Drop(t.Context(), l.ID)); err != nil {
				t.Fatal(err)
			}
		}
		if n != 40 {
			t.Errorf("%d letters listed, want 40", n)
		}
	})
}

func TestListingWithoutBodies(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := connect(t, s)
		defer c.Close(t.Context())
		d := deadletter.New(c)
		if err := d.Put(t.Context(), letter(100, 1, deadletter.ReasonError)); err != nil {
			t.Fatal(err)
		}
		for l, err := range d.All(t.Context(), deadletter.Filter{HeadersOnly: true}) {
			if err != nil || l.Update != 1 || len(l.Body) != 0 {
				t.Errorf("%+v, %v; want update 1 without its body", l, err)
			}
		}
	})
}
