package queue_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/broker/natstest"
	"github.com/chatlane/chatlane/internal/queue"
)

// During a long outage the broker's own wait for acknowledgements runs out, again and
// again. What waits here must not be queued behind itself each time.
func TestRedeliveryIsNotQueuedBehindItself(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := connect(t, s)
		defer c.Close(t.Context())
		impatient := one
		impatient.AckWait = 10 * time.Second
		if err := c.EnsureConsumers(t.Context(), impatient); err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		ran := map[int64]int{}
		outage := make(chan struct{})
		_, reg := run(t.Context(), t, c, func(d *queue.Delivery) queue.Attempt {
			return func(ctx context.Context) queue.Next {
				<-outage
				mu.Lock()
				defer mu.Unlock()
				ran[d.ID]++
				_ = d.Ack(ctx)
				return queue.Next{}
			}
		})
		publish(t, c, 1, 30)
		time.Sleep(2 * time.Minute)
		close(outage)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if resetsOf(t, reg)("redelivery") == 0 {
			t.Error("the broker delivered nothing again, or nobody noticed")
		}
		mu.Lock()
		defer mu.Unlock()
		for id := int64(1); id <= 30; id++ {
			most := 1
			if id <= 3 {
				most = 2 // the heads of their lanes ran, and came once more behind themselves
			}
			if ran[id] < 1 || ran[id] > most {
				t.Errorf("update %d ran %d times, want at most %d", id, ran[id], most)
			}
		}
	})
}

// A resynchronisation forgets what is queued, the job that empties a parked lane
// included: nobody else would wake that lane.
func TestParkedLaneIsWokenAfterAResynchronisation(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := connect(t, s)
		defer c.Close(t.Context())
		impatient := one
		impatient.AckWait = 8 * time.Second
		if err := c.EnsureConsumers(t.Context(), impatient); err != nil {
			t.Fatal(err)
		}
		var j journal
		began := time.Now()
		_, reg := run(t.Context(), t, c, func(d *queue.Delivery) queue.Attempt {
			return func(ctx context.Context) queue.Next {
				if time.Since(began) < 4*time.Second {
					return queue.Next{Again: 5 * time.Second, Park: true}
				}
				return j.turn(d)(ctx)
			}
		})
		publish(t, c, 3, 3)
		time.Sleep(time.Second)
		limitParked(t, c, 1) // the next copy cannot be written, and waits at the head of its lane
		publish(t, c, 6, 6)
		time.Sleep(12 * time.Second)
		if resetsOf(t, reg)("redelivery") == 0 {
			t.Error("nothing was resynchronised: the test tests nothing")
		}
		limitParked(t, c, -1)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		inOrder(t, j.seen(), 2)
	})
}

func limitParked(t *testing.T, c *broker.Conn, most int64) {
	t.Helper()
	s, err := c.JetStream().Stream(t.Context(), broker.StreamParked)
	if err != nil {
		t.Fatal(err)
	}
	cfg := s.CachedInfo().Config
	cfg.MaxMsgs = most
	if _, err := c.JetStream().UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
}

// With nothing but parked updates left, there is no message that a next owner could
// be pinned by.
func TestParkedLaneOfADeadOwnerIsTakenOver(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := connect(t, s)
		defer c.Close(t.Context())
		dead, wire := wired(t, s)
		work, kill := context.WithCancel(t.Context())
		run(work, t, dead, func(*queue.Delivery) queue.Attempt {
			return func(context.Context) queue.Next { return queue.Next{Again: 5 * time.Second, Park: true} }
		})
		publish(t, c, 3, 3)
		time.Sleep(time.Second)
		var j journal
		run(t.Context(), t, c, j.turn)
		wire.Cut()
		kill()
		time.Sleep(20 * time.Second)
		synctest.Wait()
		inOrder(t, j.seen(), 1)
		if depth, err := c.Depth(t.Context()); err != nil || depth.Queued+depth.Parked != 0 {
			t.Errorf("depth %+v, %v; want nothing left", depth, err)
		}
	})
}
