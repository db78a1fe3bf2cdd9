package ownership

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/natstest"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/queue"
)

// stale is a term whose pin is not the consumer's, and which has been silent for a minute.
func stale(t *testing.T, c *broker.Conn) *term {
	t.Helper()
	o := New(Config{}, c, lane.NewSlots(1), nil)
	tt := o.newTerm(t.Context(), 0, "mine", streamState{}, func(*queue.Delivery) queue.Attempt {
		return func(context.Context) queue.Next { return queue.Next{} }
	})
	tt.next, tt.answered = 1, time.Now()
	tt.watchdog.restart(time.Now().Add(-time.Minute))
	return tt
}

// quiet is a connection to a broker with one empty partition.
func quiet(t *testing.T) *broker.Conn {
	t.Helper()
	s := natstest.Start(t)
	c, err := broker.Connect(t.Context(), broker.Config{Options: []nats.Option{s.Option()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	topology := broker.Topology{Partitions: 1, PinTTL: time.Minute}
	if err := errors.Join(c.Ensure(t.Context(), topology), c.EnsureConsumers(t.Context(), topology)); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDeliveryUnderAnotherPinEndsTheTerm(t *testing.T) {
	tt := stale(t, quiet(t))
	m := &nats.Msg{
		Subject: "updates.0.42.c:7", Reply: "$JS.ACK.UPDATES.p-0000.1.1.1.1700000000000000000.0",
		Header: nats.Header{headerPin: {"another"}}, Data: []byte("{}"), Sub: &nats.Subscription{},
	}
	if err := tt.accept(t.Context(), m); !errors.Is(err, queue.ErrPinLost) {
		t.Errorf("accepted with %v, want ErrPinLost", err)
	}
	if n := tt.lanes.Lanes(); n != 0 {
		t.Errorf("%d lanes have work", n)
	}
}

// A reset without the pin would take the next owner's deliveries away.
func TestWatchdogLeavesAnotherOwnersConsumerAlone(t *testing.T) {
	c := quiet(t)
	u := queue.Update{ID: 1, Type: "message", Lane: "42:c:7", Scope: lane.Scope{Bot: 42, Kind: lane.KindChat, Chat: 7}}
	if err := queue.NewPublisher(c, 1, prometheus.NewRegistry()).Publish(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	f, err := openFeed(c, broker.ConsumerName(0), 16)
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	if err := f.pull(pullRequest{Batch: 1, Expires: 10 * time.Second}); err != nil {
		t.Fatal(err)
	}
	if m := <-f.in; status(m) != "" { // the other owner's, which is pinned now
		t.Fatalf("no delivery: %s", status(m))
	}
	tt := stale(t, c)
	if err := tt.watch(t.Context()); !errors.Is(err, queue.ErrPinLost) {
		t.Errorf("watchdog returned %v, want ErrPinLost", err)
	}
	info, err := tt.o.info(t.Context(), 0)
	if err != nil || info.Delivered.Consumer != 1 || info.NumAckPending != 1 {
		t.Errorf("the other owner's consumer was reset: %+v, %v", info, err)
	}
}

// While nothing waits, the broker refuses no pull with a pin that ran out. The owner has to find out by itself.
func TestWatchdogMissesThePinThatRanOut(t *testing.T) {
	tt := stale(t, quiet(t))
	if err := tt.watch(t.Context()); !errors.Is(err, queue.ErrPinLost) {
		t.Errorf("watchdog returned %v, want ErrPinLost", err)
	}
}
