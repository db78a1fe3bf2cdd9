package fleet_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/broker/natstest"
	"github.com/chatlane/chatlane/internal/fleet"
)

// revived leads clients to the server that runs now.
type revived struct {
	mu sync.Mutex
	s  *embedded.Server // nil: none
}

func (r *revived) InProcessConn() (net.Conn, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.s == nil {
		return nil, net.ErrClosed
	}
	return r.s.InProcessConn()
}

func (r *revived) set(s *embedded.Server) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.s = s
}

// The workers come back one after the other, and each plans with all of them from its first
// heartbeat on.
func TestFirstWorkerBackAfterAnOutagePlansWithAll(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, _ *embedded.Server) {
		const workers = 4
		start := func() *embedded.Server {
			s, err := embedded.Start(embedded.Config{Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		way := &revived{s: start()}
		var mu sync.Mutex
		var fewest []int // workers in a plan, once the fleet is complete
		complete := false
		for i := range workers {
			conn, err := broker.Connect(t.Context(), broker.Config{Options: []nats.Option{nats.InProcessServer(way)}})
			if err != nil {
				t.Fatal(err)
			}
			p := fleet.NewPresence(conn, fleet.PresenceConfig{Worker: fmt.Sprintf("worker-%d", i), Partitions: 64})
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				_ = p.Run(ctx, func(plan fleet.Plan) {
					mu.Lock()
					defer mu.Unlock()
					if complete && plan.Workers < workers {
						fewest = append(fewest, plan.Workers)
					}
				})
			}()
			defer conn.Close(context.Background())
			defer func() { cancel(); <-ended }()
		}
		time.Sleep(5 * time.Second)
		mu.Lock()
		complete = true
		mu.Unlock()
		for _, outage := range []time.Duration{300 * time.Millisecond, 900 * time.Millisecond, 1200 * time.Millisecond, 3 * time.Second, time.Minute} {
			before := way.s
			way.set(nil)
			natstest.Stop(before)
			time.Sleep(outage)
			way.set(start())
			time.Sleep(5 * time.Second)
			synctest.Wait()
			mu.Lock()
			if len(fewest) > 0 {
				t.Errorf("after an outage of %v plans counted only %v workers, want %d", outage, fewest, workers)
			}
			fewest = nil
			mu.Unlock()
		}
		mu.Lock()
		complete = false
		mu.Unlock()
		last := way.s
		defer natstest.Stop(last)
	})
}

// announce sends heartbeats of workers that do not exist.
func announce(t *testing.T, conn *broker.Conn, names int, run string) {
	t.Helper()
	for i := range names {
		body, err := json.Marshal(map[string]any{"worker": fmt.Sprintf("ghost-%s-%d", run, i), "joining": true})
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.NATS().Publish(conn.Names().Presence(), body); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.NATS().Flush(); err != nil {
		t.Fatal(err)
	}
}

// A flood of names in heartbeats takes no partition from the workers that own them.
func TestFloodOfNamesMovesNoPartition(t *testing.T) {
	s := natstest.Start(t)
	c := newCrewWith(t, s, broker.Topology{Partitions: 64, PinTTL: 10 * time.Second}) // no busy machine makes a pin run out
	a, b := c.join(), c.join()
	c.say(512)
	waitFor(t, "two workers have taken all partitions over", func() bool { return c.queued() == 0 && c.held(a) == 32 && c.held(b) == 32 })
	<-time.After(time.Second) // their heartbeats say so
	moves := func() (n int) {
		for _, m := range c.members {
			n += resets(t, m.reg, "takeover") + resets(t, m.reg, "released")
		}
		return n
	}
	before := moves()
	begun := time.Now()
	announce(t, c.public, 45_000, "flood")
	for time.Since(begun) < 4*time.Second { // longer than the names count
		c.say(64)
		waitFor(t, "all updates are handled", func() bool { return c.queued() == 0 })
		<-time.After(200 * time.Millisecond)
	}
	if got := moves() - before; got != 0 || c.held(a) != 32 || c.held(b) != 32 {
		t.Errorf("%d partitions were taken over or released, and the workers own %d and %d, want 0, 32 and 32", got, c.held(a), c.held(b))
	}
}

func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("it did not happen that %s", what)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// queued is how many updates are not acknowledged.
func (c *crew) queued() uint64 {
	c.t.Helper()
	s, err := c.public.Stream(c.t.Context(), c.public.Names().Updates())
	if err != nil {
		c.t.Fatal(err)
	}
	return s.CachedInfo().State.Msgs
}

// Some workers that the plan names do not exist, for minutes. The others own their
// partitions again, and for most of the time.
func TestWorkersThatDoNotExistStopNoPartition(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := newCrew(t, s, 16)
		c.join()
		c.join()
		c.settle()
		var all, worst time.Duration
		const rounds = 40
		for range rounds {
			for range 2 {
				announce(t, c.public, 40, "few")
				time.Sleep(time.Second / 2)
			}
			c.say(64)
			said := time.Now()
			for c.queued() > 0 && time.Since(said) < time.Minute {
				announce(t, c.public, 40, "few")
				time.Sleep(time.Second / 4)
			}
			all += time.Since(said)
			worst = max(worst, time.Since(said))
		}
		if mean := all / rounds; worst > 8*time.Second || mean > 1500*time.Millisecond {
			t.Errorf("the slowest round took %v and the mean one %v, want at most 8s and 1.5s", worst, mean)
		}
	})
}
