// Package queuetest is what the tests of ownership and parking share: a broker with one partition,
// its updates and its owners.
package queuetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/broker/natstest"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/partition"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/queue/ownership"
)

const PinTTL = 2 * time.Second

func Topology() broker.Topology { return broker.Topology{Partitions: 1, PinTTL: PinTTL} }

// Connect returns a connection with streams and consumers in place.
func Connect(t *testing.T, s *embedded.Server) *broker.Conn {
	t.Helper()
	c, err := broker.Connect(t.Context(), broker.Config{Options: []nats.Option{s.Option()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.WithoutCancel(t.Context())) })
	if err := c.Ensure(t.Context(), Topology()); err != nil {
		t.Fatal(err)
	}
	if err := c.EnsureConsumers(t.Context(), Topology()); err != nil {
		t.Fatal(err)
	}
	return c
}

// Two runs a test in virtual time with a broker and the connections of two workers.
func Two(t *testing.T, test func(t *testing.T, a, b *broker.Conn)) {
	t.Helper()
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		a, b := Connect(t, s), Connect(t, s)
		defer a.Close(t.Context())
		defer b.Close(t.Context())
		test(t, a, b)
	})
}

// Wired returns a connection that a test can hold up or cut.
func Wired(t *testing.T, s *embedded.Server) (*broker.Conn, *natstest.Wire) {
	t.Helper()
	w := natstest.NewWire(s)
	c, err := broker.Connect(t.Context(), broker.Config{Options: []nats.Option{w.Option()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Thaw(); c.Close(context.WithoutCancel(t.Context())) })
	return c, w
}

func Update(chat, id int64) queue.Update {
	return queue.Update{
		ID: id, Type: "message", Lane: lane.Key(fmt.Sprintf("42:c:%d", chat)), Body: []byte(`{}`), Received: time.Now(),
		Scope: lane.Scope{Bot: 42, Kind: lane.KindChat, Chat: chat},
	}
}

func PublishTo(t *testing.T, c *broker.Conn, chat int64, ids ...int64) {
	t.Helper()
	p := queue.NewPublisher(c, 1, nil)
	for _, id := range ids {
		if err := p.Publish(t.Context(), Update(chat, id)); err != nil {
			t.Fatal(err)
		}
	}
}

// Publish stores updates of three chats in turn.
func Publish(t *testing.T, c *broker.Conn, from, to int) {
	t.Helper()
	for i := from; i <= to; i++ {
		PublishTo(t, c, int64(100+i%3), int64(i))
	}
}

// Flood returns n ids of chat 100, as [InOrder] wants them: 3, 6, 9, ...
func Flood(n int) []int64 {
	ids := make([]int64, n)
	for i := range ids {
		ids[i] = int64(3 * (i + 1))
	}
	return ids
}

// Journal notes what was handled. Like a lane's cursor it skips repetitions: an ack may be lost in a reset.
type Journal struct {
	mu  sync.Mutex
	ids []int64
}

func (j *Journal) Note(id int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !slices.Contains(j.ids, id) {
		j.ids = append(j.ids, id)
	}
}

// Seen lists the ids in their order.
func (j *Journal) Seen() []int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]int64(nil), j.ids...)
}

// Attempt notes the update and acknowledges it.
func (j *Journal) Attempt(d *queue.Delivery) queue.Attempt {
	return func(ctx context.Context) queue.Next {
		j.Note(d.ID)
		_ = d.Ack(ctx)
		return queue.Next{}
	}
}

// ParkFor parks an update for as long as wait says, and else does what Attempt does.
func (j *Journal) ParkFor(wait func(d *queue.Delivery) time.Duration) func(*queue.Delivery) queue.Attempt {
	return func(d *queue.Delivery) queue.Attempt {
		return func(ctx context.Context) queue.Next {
			if again := wait(d); again > 0 {
				return queue.Next{Again: again, Park: true}
			}
			return j.Attempt(d)(ctx)
		}
	}
}

// NothingLeft fails unless every update is finished, and none is parked.
func NothingLeft(t *testing.T, c *broker.Conn) {
	t.Helper()
	if depth, err := c.Depth(t.Context()); err != nil || depth.Parked != 0 || depth.Queued != 0 {
		t.Errorf("depth %+v, %v; want nothing left", depth, err)
	}
}

// InOrder fails unless each lane's updates came in order, once each, total in all. The lane is the id modulo 3.
func InOrder(t *testing.T, ids []int64, total int) {
	t.Helper()
	last := map[int64]int64{}
	for _, id := range ids {
		if last[id%3] >= id {
			t.Errorf("lane %d: %d after %d (all: %v)", id%3, id, last[id%3], ids)
		}
		last[id%3] = id
	}
	if len(ids) != total {
		t.Errorf("handled %d updates, want %d: %v", len(ids), total, ids)
	}
}

// Start runs an owner of partition 0; stop hands over and waits.
func Start(t *testing.T, c *broker.Conn, attempt func(*queue.Delivery) queue.Attempt) (stop func()) {
	t.Helper()
	stop, _ = Run(t.Context(), t, c, attempt)
	return stop
}

// Run is Start with a context for the attempts, and with the owner's metrics.
func Run(work context.Context, t *testing.T, c *broker.Conn, attempt func(*queue.Delivery) queue.Attempt) (stop func(), reg *prometheus.Registry) {
	t.Helper()
	reg = prometheus.NewRegistry()
	o := ownership.New(ownership.Config{PinTTL: PinTTL}, c, lane.NewSlots(64), reg)
	return RunOwner(work, t, o, 0, attempt), reg
}

func RunOwner(work context.Context, t *testing.T, o *ownership.Owner, p partition.ID, attempt func(*queue.Delivery) queue.Attempt) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := o.Run(ctx, work, p, attempt); err != nil {
			t.Error(err)
		}
	}()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(stop)
	return stop
}

// Within bounds a wait: virtual time would go on for ever.
func Within[T any](t *testing.T, d time.Duration, what string, c <-chan T) (v T) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case v = <-c:
	case <-timer.C:
		t.Fatalf("%s did not come within %v", what, d)
	}
	return v
}

func Resets(t *testing.T, reg *prometheus.Registry, reason string) int {
	t.Helper()
	for _, m := range metrics(t, reg, "chatlane_partition_resets_total") {
		if m.label == reason {
			return int(m.value)
		}
	}
	return 0
}

// Gauge is -1 if the metric has not one value.
func Gauge(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	if all := metrics(t, reg, name); len(all) == 1 {
		return all[0].value
	}
	return -1
}

type metric struct {
	label string
	value float64
}

func metrics(t *testing.T, reg *prometheus.Registry, name string) (all []metric) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name {
				all = append(all, metric{m.GetLabel()[0].GetValue(), m.GetCounter().GetValue() + m.GetGauge().GetValue()})
			}
		}
	}
	return all
}
