package ownership_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/broker/natstest"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/queue/ownership"
	"github.com/chatlane/chatlane/internal/queue/queuetest"
)

// Deliveries went to a stale request: nothing behind them may reach a lane before they do.
func TestGapInDeliveriesIsClosedInOrder(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := queuetest.Connect(t, s)
		defer c.Close(t.Context())
		var j queuetest.Journal
		stop, reg := queuetest.Run(t.Context(), t, c, j.Attempt)
		queuetest.Publish(t, c, 1, 3)
		time.Sleep(100 * time.Millisecond)
		taken := make(chan int)
		go func() { // its request waits beside the owner's and takes every other message
			n, err := ownership.StealWaiting(t.Context(), c, 3, 400*time.Millisecond)
			if err != nil {
				t.Error(err)
			}
			taken <- n
		}()
		synctest.Wait()
		queuetest.Publish(t, c, 4, 40)
		n := queuetest.Within(t, 20*time.Second, "the stale request's messages", taken)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if n == 0 {
			t.Fatal("the stale request took nothing: the test tests nothing")
		}
		if queuetest.Resets(t, reg, "gap") == 0 {
			t.Errorf("%d deliveries went astray and no gap was noticed", n)
		}
		stop()
		queuetest.InOrder(t, j.Seen(), 40)
	})
}

// With nothing behind them there is no gap, only silence.
func TestWatchdogFindsDeliveriesThatNeverArrived(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := queuetest.Connect(t, s)
		defer c.Close(t.Context())
		var j queuetest.Journal
		stop, reg := queuetest.Run(t.Context(), t, c, j.Attempt)
		queuetest.Publish(t, c, 1, 3)
		time.Sleep(100 * time.Millisecond)
		taken := make(chan int)
		go func() {
			n, err := ownership.StealWaiting(t.Context(), c, 8, 400*time.Millisecond)
			if err != nil {
				t.Error(err)
			}
			taken <- n
		}()
		synctest.Wait()
		for i := 4; i <= 12 && len(j.Seen()) >= i-1; i++ { // until the stale request gets one
			queuetest.Publish(t, c, i, i)
			time.Sleep(20 * time.Millisecond)
			synctest.Wait()
		}
		lost := time.Now()
		total := len(j.Seen()) + 1
		for len(j.Seen()) < total && time.Since(lost) < time.Minute {
			time.Sleep(50 * time.Millisecond)
			synctest.Wait()
		}
		if n := queuetest.Within(t, 20*time.Second, "the stale request's messages", taken); n == 0 {
			t.Fatal("the stale request took nothing: the test tests nothing")
		}
		if took := time.Since(lost); took > 4*time.Second {
			t.Errorf("found after %v, want about 1.5 s of silence", took)
		}
		if queuetest.Resets(t, reg, "stalled")+queuetest.Resets(t, reg, "gap") == 0 {
			t.Error("no reset was counted")
		}
		stop()
		queuetest.InOrder(t, j.Seen(), total)
	})
}

// In a long outage the broker's AckWait runs out again and again.
func TestRedeliveryIsNotQueuedBehindItself(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := queuetest.Connect(t, s)
		defer c.Close(t.Context())
		impatient := queuetest.Topology()
		impatient.AckWait = 10 * time.Second
		if err := c.EnsureConsumers(t.Context(), impatient); err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		ran := map[int64]int{}
		outage := make(chan struct{})
		_, reg := queuetest.Run(t.Context(), t, c, func(d *queue.Delivery) queue.Attempt {
			return func(ctx context.Context) queue.Next {
				<-outage
				mu.Lock()
				defer mu.Unlock()
				ran[d.ID]++
				_ = d.Ack(ctx)
				return queue.Next{}
			}
		})
		queuetest.Publish(t, c, 1, 30)
		time.Sleep(2 * time.Minute)
		close(outage)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if queuetest.Resets(t, reg, "redelivery") == 0 {
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
