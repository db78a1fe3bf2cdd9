package fleet_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/broker/natstest"
	"github.com/chatlane/chatlane/internal/fleet"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/partition"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/queue/ownership"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const pinTTL = 2 * time.Second

func resets(t *testing.T, reg *prometheus.Registry, reason string) int {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "chatlane_partition_resets_total" && m.GetLabel()[0].GetValue() == reason {
				return int(m.GetCounter().GetValue())
			}
		}
	}
	return 0
}

// crew is several workers at one broker. Each update is acknowledged after the time that a
// turn takes, which may be 0.
type crew struct {
	turns    atomic.Int64 // nanoseconds
	t        *testing.T
	s        *embedded.Server
	topology broker.Topology
	public   *broker.Conn
	said     int64
	members  []*member
}

type member struct {
	conn *broker.Conn
	reg  *prometheus.Registry
	stop func()

	presence     *fleet.Presence
	done, waited atomic.Int64 // attempts
}

func newCrew(t *testing.T, s *embedded.Server, partitions int) *crew {
	t.Helper()
	return newCrewWith(t, s, broker.Topology{Partitions: partitions, PinTTL: pinTTL})
}

func newCrewWith(t *testing.T, s *embedded.Server, topology broker.Topology) *crew {
	t.Helper()
	c := &crew{t: t, s: s, topology: topology}
	c.public = c.connect()
	t.Cleanup(func() { c.public.Close(context.Background()) })
	if err := c.public.Ensure(t.Context(), c.topology); err != nil {
		t.Fatal(err)
	}
	if err := c.public.EnsureConsumers(t.Context(), c.topology); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *crew) connect() *broker.Conn {
	c.t.Helper()
	conn, err := broker.Connect(c.t.Context(), broker.Config{Options: []nats.Option{c.s.Option()}})
	if err != nil {
		c.t.Fatal(err)
	}
	return conn
}

func (c *crew) join() *member {
	c.t.Helper()
	return c.joinFor(nil)
}

// joinFor adds a worker that serves some bots; nil: all. It tries updates of others again.
func (c *crew) joinFor(bots []int64) *member {
	c.t.Helper()
	m := &member{conn: c.connect(), reg: prometheus.NewRegistry()}
	presence := fleet.NewPresence(m.conn, fleet.PresenceConfig{Worker: fmt.Sprintf("worker-%d", len(c.members)), Partitions: c.topology.Partitions, Bots: bots})
	owner := ownership.New(ownership.Config{PinTTL: c.topology.PinTTL, Role: presence.Role, Hold: presence.Hold}, m.conn, lane.NewSlots(64), m.reg)
	attempt := func(d *queue.Delivery) queue.Attempt {
		presence.Met(d.Partition, d.Scope.Bot)
		return func(ctx context.Context) queue.Next {
			if bots != nil && !slices.Contains(bots, d.Scope.Bot) {
				m.waited.Add(1)
				return queue.Next{Again: time.Second}
			}
			m.done.Add(1)
			time.Sleep(time.Duration(c.turns.Load()))
			_ = d.Ack(ctx)
			return queue.Next{}
		}
	}
	workers := fleet.New(fleet.Config{Linger: c.topology.PinTTL / 10}, presence, func(ctx, work context.Context, p partition.ID) error {
		return owner.Run(ctx, work, p, attempt)
	})
	m.presence = presence
	ctx, cancel := context.WithCancel(c.t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = workers.Run(ctx, c.t.Context()) }()
	m.stop = sync.OnceFunc(func() { cancel(); <-done; m.conn.Close(context.Background()) })
	c.t.Cleanup(m.stop)
	c.members = append(c.members, m)
	return m
}

// settle lets the crew work until no partition moves, and counts the moves.
func (c *crew) settle() (takeovers, released int) {
	c.t.Helper()
	count := func(reason string) (n int) {
		for _, m := range c.members {
			n += resets(c.t, m.reg, reason)
		}
		return n
	}
	takeovers, released = count("takeover"), count("released")
	for range 5 {
		c.say(int64(8 * c.topology.Partitions))
		time.Sleep(pinTTL)
		synctest.Wait()
	}
	return count("takeover") - takeovers, count("released") - released
}

// say publishes an update from each of so many chats.
func (c *crew) say(chats int64) {
	c.t.Helper()
	c.sayTo(42, chats)
}

func (c *crew) sayTo(bot, chats int64) {
	c.t.Helper()
	p := queue.NewPublisher(c.public, c.topology.Partitions, nil)
	for chat := range chats {
		c.said++
		key := lane.Key(fmt.Sprintf("%d:c:%d", bot, 1000+chat))
		u := queue.Update{ID: c.said, Type: "message", Lane: key, Body: []byte(`{}`), Received: time.Now()}
		u.Scope = lane.Scope{Bot: bot, Kind: lane.KindChat, Chat: 1000 + chat}
		if err := p.Publish(c.t.Context(), u); err != nil {
			c.t.Fatal(err)
		}
	}
}

// held is how many partitions the worker owns.
func (c *crew) held(m *member) int {
	c.t.Helper()
	families, err := m.reg.Gather()
	if err != nil {
		c.t.Fatal(err)
	}
	n := 0
	for _, f := range families {
		if f.GetName() == "chatlane_partition_owned" {
			for _, s := range f.GetMetric() {
				n += int(s.GetGauge().GetValue())
			}
		}
	}
	return n
}

// When workers come and go, only the partitions that an even load requires move, each
// once, and no worker has to give back a partition that it took.
func TestRebalanceMovesTheLeast(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		const partitions = 48
		c := newCrew(t, s, partitions)
		expect := func(what string, takeovers int, held ...int) {
			t.Helper()
			moved, released := c.settle()
			if moved != takeovers || released != 0 {
				t.Errorf("%s: %d partitions were taken over and %d released, want %d and 0", what, moved, released, takeovers)
			}
			for i, want := range held {
				if got := c.held(c.members[i]); got < want || got > want+1 {
					t.Errorf("%s: worker %d owns %d partitions, want %d or one more", what, i, got, want)
				}
			}
		}
		c.join()
		expect("one worker", partitions, partitions)
		c.join()
		expect("a second comes", 24, 24, 24)
		c.join()
		expect("a third comes", 16, 16, 16, 16)
		d := c.join()
		expect("a fourth comes", 12, 12, 12, 12, 12)
		d.stop()
		expect("the fourth stops", 12, 16, 16, 16)
		b := c.members[1]
		its := c.held(b)
		b.conn.Close(t.Context()) // without a last heartbeat
		expect("the second dies", its, 24, 0, 24)
	})
}

// A worker comes and goes while long turns delay the hand-over to it: the partitions come
// back to the worker that had not finished handing them over, and that worker owns them.
func TestPartitionComesBackWhileItIsHandedOver(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		const partitions = 4
		c := newCrew(t, s, partitions)
		a := c.join()
		c.settle()
		c.turns.Store(int64(10 * time.Second))
		c.say(100)
		time.Sleep(time.Second)
		b := c.join()
		time.Sleep(2 * time.Second)
		b.stop()
		time.Sleep(time.Second)
		c.turns.Store(0)
		c.settle()
		if got := c.held(a); got != partitions {
			t.Errorf("the only worker says that it owns %d partitions, want %d", got, partitions)
		}
	})
}
