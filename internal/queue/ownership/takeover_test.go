package ownership_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/broker/natstest"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/queue/queuetest"
)

func TestStandbyFinishesWhatADeadOwnerHeldInOrder(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c, dead := queuetest.Connect(t, s), queuetest.Connect(t, s)
		var j queuetest.Journal
		ctx, kill := context.WithCancel(t.Context())
		defer kill()
		first := queuetest.Start(t, dead, func(d *queue.Delivery) queue.Attempt {
			return func(context.Context) queue.Next {
				if d.ID <= 6 {
					j.Note(d.ID)
					_ = d.Ack(ctx)
					return queue.Next{}
				}
				<-ctx.Done() // holds the rest unacknowledged
				return queue.Next{}
			}
		})
		queuetest.Publish(t, c, 1, 20)
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		stop := queuetest.Start(t, c, j.Attempt)
		time.Sleep(time.Second)
		dead.Close(t.Context())
		died := time.Now()
		for len(j.Seen()) < 20 && time.Since(died) < 10*time.Second {
			time.Sleep(10 * time.Millisecond)
		}
		if took := time.Since(died); took > 3*time.Second {
			t.Errorf("failover took %v, want under 3 s", took)
		} else {
			t.Logf("failover took %v", took)
		}
		kill()
		first()
		stop()
		queuetest.InOrder(t, j.Seen(), 20)
		c.Close(t.Context())
	})
}

// The contiguity check would notice a missing reset, but only as a gap.
func TestTakeoverResetsOnceAndHasNothingToRepair(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		dead, wire := queuetest.Wired(t, s)
		c := queuetest.Connect(t, s)
		defer c.Close(t.Context())
		hold := func(d *queue.Delivery) queue.Attempt {
			return func(ctx context.Context) queue.Next {
				if d.ID <= 6 {
					_ = d.Ack(ctx)
					return queue.Next{}
				}
				<-ctx.Done()
				return queue.Next{Again: time.Nanosecond}
			}
		}
		work, kill := context.WithCancel(t.Context())
		queuetest.Run(work, t, dead, hold)
		queuetest.Publish(t, c, 1, 20)
		time.Sleep(time.Second)
		var j queuetest.Journal
		_, reg := queuetest.Run(t.Context(), t, c, j.Attempt)
		time.Sleep(time.Second)
		wire.Cut()
		kill()
		queuetest.Publish(t, c, 21, 24)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if n := queuetest.Resets(t, reg, "takeover"); n != 1 {
			t.Errorf("%d resets at takeover, want 1", n)
		}
		if gaps, stalls := queuetest.Resets(t, reg, "gap"), queuetest.Resets(t, reg, "stalled"); gaps+stalls != 0 {
			t.Errorf("takeover needed repair: %d gaps, %d stalls", gaps, stalls)
		}
		var rest []int64
		for _, id := range j.Seen() {
			if id > 6 {
				rest = append(rest, id)
			}
		}
		queuetest.InOrder(t, rest, 18)
	})
}
