package queue

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/natstest"
	"github.com/chatlane/chatlane/internal/lane"
)

// stale is a term whose pin is not the consumer's.
func stale(t *testing.T, c *broker.Conn) *term {
	t.Helper()
	o := NewOwner(c, OwnerConfig{}, lane.NewSlots(1), nil)
	return &term{
		o: o, pin: "mine", work: t.Context(), lanes: lane.NewExecutor(o.slots), log: slog.New(slog.DiscardHandler),
		next: 1, heard: time.Now(), open: make(map[uint64]*Delivery),
	}
}

// quiet is a connection to a broker with one partition, in which nothing waits.
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

// What comes under another's pin is not ours, whatever its sequence says.
func TestDeliveryUnderAnotherPinEndsTheTerm(t *testing.T) {
	tt := stale(t, nil)
	m := &nats.Msg{
		Subject: "updates.0.42.c:7", Reply: "$JS.ACK.UPDATES.p-0000.1.1.1.1700000000000000000.0",
		Header: nats.Header{headerPin: {"another"}}, Data: []byte("{}"), Sub: &nats.Subscription{},
	}
	if err := tt.accept(t.Context(), m); !errors.Is(err, ErrPinLost) {
		t.Errorf("accepted with %v, want ErrPinLost", err)
	}
	if n := tt.lanes.Lanes(); n != 0 {
		t.Errorf("%d lanes have work", n)
	}
}

// A reset by one who lost the pin would take the next owner's deliveries away.
func TestWatchdogLeavesAnotherOwnersConsumerAlone(t *testing.T) {
	c := quiet(t)
	u := Update{ID: 1, Type: "message", Lane: "42:c:7", Scope: lane.Scope{Bot: 42, Kind: lane.KindChat, Chat: 7}}
	if err := NewPublisher(c, 1, prometheus.NewRegistry()).Publish(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	f, err := openFeed(c.NATS(), broker.ConsumerName(0), 16)
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
	tt.moved = time.Now().Add(-time.Minute)
	if err := tt.watch(t.Context()); !errors.Is(err, ErrPinLost) {
		t.Errorf("watchdog says %v, want ErrPinLost", err)
	}
	info, err := tt.o.info(t.Context(), 0)
	if err != nil || info.Delivered.Consumer != 1 || info.NumAckPending != 1 {
		t.Errorf("the other owner's consumer was reset: %+v, %v", info, err)
	}
}

// A pin that ran out while nothing waited is refused to nobody: the owner finds out by
// itself, since it can park no lane without it.
func TestWatchdogMissesThePinThatRanOut(t *testing.T) {
	c := quiet(t)
	tt := stale(t, c)
	tt.moved = time.Now().Add(-time.Minute)
	if err := tt.watch(t.Context()); !errors.Is(err, ErrPinLost) {
		t.Errorf("watchdog says %v, want ErrPinLost", err)
	}
}
