package parking_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/broker/natstest"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/queue/parking"
	"github.com/chatlane/chatlane/internal/queue/queuetest"
)

// With only parked updates left, no message could bring the pin.
func TestParkedLaneOfADeadOwnerIsTakenOver(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := queuetest.Connect(t, s)
		defer c.Close(t.Context())
		dead, wire := queuetest.Wired(t, s)
		work, kill := context.WithCancel(t.Context())
		queuetest.Run(work, t, dead, func(*queue.Delivery) queue.Attempt {
			return func(context.Context) queue.Next { return queue.Next{Again: 5 * time.Second, Park: true} }
		})
		queuetest.Publish(t, c, 3, 3)
		time.Sleep(time.Second)
		var j queuetest.Journal
		queuetest.Run(t.Context(), t, c, j.Attempt)
		wire.Cut()
		kill()
		time.Sleep(20 * time.Second)
		synctest.Wait()
		queuetest.InOrder(t, j.Seen(), 1)
		queuetest.NothingLeft(t, c)
	})
}

// Updates may come behind the parked ones before the hand-over.
func TestParkedFloodKeepsItsTimeThroughATakeover(t *testing.T) {
	for _, updates := range [][2]int{{256*3/4 + 1, 0}, {300, 0}, {1, 600}} { // before and after parking
		natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
			c := queuetest.Connect(t, s)
			defer c.Close(t.Context())
			began := time.Now()
			var runs []time.Duration // of one lane
			attempt := func(d *queue.Delivery) queue.Attempt {
				return func(ctx context.Context) queue.Next {
					if d.ID != 3 {
						t.Errorf("update %d passed", d.ID)
					}
					time.Sleep(time.Second)
					runs = append(runs, time.Since(began).Round(time.Second))
					return queue.Next{Again: time.Minute, Park: true}
				}
			}
			stop := queuetest.Start(t, c, attempt)
			queuetest.PublishTo(t, c, 100, queuetest.Flood(updates[0])...)
			time.Sleep(2 * time.Second)
			queuetest.PublishTo(t, c, 100, queuetest.Flood(updates[0] + updates[1])[updates[0]:]...)
			time.Sleep(18 * time.Second)
			stop()
			stop = queuetest.Start(t, c, attempt)
			time.Sleep(70 * time.Second)
			synctest.Wait()
			stop()
			if want := []time.Duration{time.Second, 62 * time.Second}; !slices.Equal(runs, want) {
				t.Errorf("%v updates: run at %v, want %v", updates, runs, want)
			}
		})
	}
}

func TestFreedLaneGoesOnThroughATakeover(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := queuetest.Connect(t, s)
		defer c.Close(t.Context())
		var j queuetest.Journal
		var well atomic.Bool
		attempt := j.ParkFor(func(*queue.Delivery) time.Duration {
			if !well.Load() {
				return time.Hour
			}
			time.Sleep(time.Second)
			return 0
		})
		stop := queuetest.Start(t, c, attempt)
		queuetest.PublishTo(t, c, 100, queuetest.Flood(6)...)
		time.Sleep(time.Minute)
		well.Store(true)
		if err := parking.Free(t.Context(), c, 0, "42:c:100"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2500 * time.Millisecond)
		stop()
		if n := len(j.Seen()); n == 0 || n == 6 {
			t.Fatalf("%d handled by the first owner: the test tests nothing", n)
		}
		stop = queuetest.Start(t, c, attempt)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		stop()
		queuetest.InOrder(t, j.Seen(), 6)
	})
}

// slow is a connection whose writes arrive a millisecond later.
type slow struct {
	net.Conn
	ch chan pkt
}

type pkt struct {
	at time.Time
	b  []byte
}

func (s *slow) Write(b []byte) (int, error) {
	s.ch <- pkt{time.Now().Add(time.Millisecond), append([]byte(nil), b...)}
	return len(b), nil
}

type slowServer struct{ s *embedded.Server }

func (p slowServer) InProcessConn() (net.Conn, error) {
	c, err := p.s.InProcessConn()
	if err != nil {
		return nil, err
	}
	s := &slow{c, make(chan pkt, 10000)}
	go func() {
		for p := range s.ch {
			time.Sleep(time.Until(p.at))
			if _, err := c.Write(p.b); err != nil {
				return
			}
		}
	}()
	return s, nil
}

// The new owner only lists the parked lanes. In real time, with a broker that is 1 ms away.
func TestManyParkedLanesHoldUpNoTakeover(t *testing.T) {
	const n = 1500
	s := natstest.Start(t)
	c := queuetest.Connect(t, s)
	for i := range n {
		d := &queue.Delivery{Update: queue.Update{ID: int64(i + 1), Type: "message", Lane: lane.Key(fmt.Sprintf("42:c:%d", 1000+i)), Body: []byte(`{}`), Received: time.Now()}, Seq: 1, Stream: created(t, c)}
		d.Scope = lane.Scope{Bot: 42, Kind: lane.KindChat, Chat: int64(1000 + i)}
		parking.ParkFor(t.Context(), c, d, time.Hour)
	}
	w, err := broker.Connect(t.Context(), broker.Config{Options: []nats.Option{nats.InProcessServer(slowServer{s})}})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close(context.Background())
	seen := make(chan struct{})
	see := sync.OnceFunc(func() { close(seen) })
	var early atomic.Int64
	began := time.Now()
	stop := queuetest.Start(t, w, func(d *queue.Delivery) queue.Attempt {
		return func(ctx context.Context) queue.Next {
			if d.Lane == "42:c:101" {
				see()
			} else if early.Add(1) == 1 {
				t.Errorf("lane %s is parked for an hour, and runs %v after it", d.Lane, time.Since(began))
			}
			_ = d.Ack(ctx)
			return queue.Next{}
		}
	})
	queuetest.Publish(t, c, 1, 1)
	select {
	case <-seen:
		t.Logf("an update beside %d parked lanes is handled after %v", n, time.Since(began))
	case <-time.After(20 * time.Second):
		t.Error("the partition is not taken over")
	}
	stop()
}
