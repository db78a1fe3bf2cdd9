package queue_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/broker/natstest"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/partition"
	"github.com/chatlane/chatlane/internal/queue"
)

func contains(s, sub string) bool { return strings.Contains(s, sub) }

// startMetered is start with a registry, to see why consumers were reset.
func startMetered(t *testing.T, c *broker.Conn, turn func(*queue.Delivery) queue.Attempt) (stop func(), resets func(reason string) int) {
	t.Helper()
	reg := prometheus.NewRegistry()
	ctx, cancel := context.WithCancel(t.Context())
	o := queue.NewOwner(c, queue.OwnerConfig{PinTTL: pinTTL}, lane.NewSlots(64), reg)
	done := make(chan struct{})
	go func() { defer close(done); _ = o.Run(ctx, t.Context(), partition.ID(0), turn) }()
	return func() { cancel(); <-done }, func(reason string) int { return counter(t, reg, "chatlane_partition_resets_total", reason) }
}

func counter(t *testing.T, reg *prometheus.Registry, name, label string) int {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && m.GetLabel()[0].GetValue() == label {
				return int(m.GetCounter().GetValue())
			}
		}
	}
	return 0
}

// Deliveries that went to a stale request leave a gap: whatever comes behind it
// must not reach a lane before they do.
func TestGapInDeliveriesIsClosedInOrder(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := connect(t, s)
		defer c.Close(t.Context())
		var j journal
		stop, resets := startMetered(t, c, j.turn)
		publish(t, c, 1, 3)
		time.Sleep(100 * time.Millisecond)
		stole := make(chan int)
		go func() { // its request waits beside the owner's and takes every other message
			n, err := queue.StealWaiting(t.Context(), c, 3, 400*time.Millisecond)
			if err != nil {
				t.Error(err)
			}
			stole <- n
		}()
		synctest.Wait()
		publish(t, c, 4, 40)
		n := within(t, 20*time.Second, "the thief", stole)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if n == 0 {
			t.Fatal("the stale request took nothing: the test tests nothing")
		}
		if resets("gap") == 0 {
			t.Errorf("%d deliveries went astray and no gap was noticed", n)
		}
		stop()
		inOrder(t, j.seen(), 40)
	})
}

// Deliveries that went astray with nothing behind them leave no gap, only silence.
func TestWatchdogFindsDeliveriesThatNeverArrived(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := connect(t, s)
		defer c.Close(t.Context())
		var j journal
		stop, resets := startMetered(t, c, j.turn)
		publish(t, c, 1, 3)
		time.Sleep(100 * time.Millisecond)
		stole := make(chan int)
		go func() {
			n, err := queue.StealWaiting(t.Context(), c, 8, 400*time.Millisecond)
			if err != nil {
				t.Error(err)
			}
			stole <- n
		}()
		synctest.Wait()
		for i := 4; i <= 12 && len(j.seen()) >= i-1; i++ { // until one of them is the thief's
			publish(t, c, i, i)
			time.Sleep(20 * time.Millisecond)
			synctest.Wait()
		}
		lost := time.Now()
		total := len(j.seen()) + 1
		for len(j.seen()) < total && time.Since(lost) < time.Minute {
			time.Sleep(50 * time.Millisecond)
			synctest.Wait()
		}
		if n := within(t, 20*time.Second, "the thief", stole); n == 0 {
			t.Fatal("the stale request took nothing: the test tests nothing")
		}
		if took := time.Since(lost); took > 4*time.Second {
			t.Errorf("found after %v, want about 1.5 s of silence", took)
		}
		if resets("stalled")+resets("gap") == 0 {
			t.Error("no reset was counted")
		}
		stop()
		inOrder(t, j.seen(), total)
	})
}

// A frozen owner that wakes up finds its pin stale: its turns are cancelled.
func TestStalePinCancelsRunningTurns(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		a, b := connect(t, s), connect(t, s)
		defer a.Close(t.Context())
		defer b.Close(t.Context())
		cause := make(chan error, 1)
		stopA := start(t, a, func(*queue.Delivery) queue.Attempt {
			return func(ctx context.Context) queue.Next {
				<-ctx.Done()
				select {
				case cause <- context.Cause(ctx):
				default: // only the first is asked for
				}
				return queue.Next{Again: time.Nanosecond}
			}
		})
		publish(t, a, 1, 1)
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if err := queue.TakePin(t.Context(), b); err != nil { // an operator's unpin, or a frozen moment
			t.Fatal(err)
		}
		if err := within(t, 20*time.Second, "the end of the turn", cause); !errors.Is(err, queue.ErrPinLost) {
			t.Errorf("turn was cancelled with %v, want ErrPinLost", err)
		}
		stopA()
	})
}

func TestParkedLaneLeavesTheWindowAndKeepsItsOrder(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := connect(t, s)
		defer c.Close(t.Context())
		var j journal
		var stuck atomic.Bool
		stuck.Store(true)
		turn := func(d *queue.Delivery) queue.Attempt {
			return func(ctx context.Context) queue.Next {
				if d.ID%3 == 0 && stuck.Load() {
					return queue.Next{Again: 30 * time.Second, Park: true}
				}
				j.note(d.ID)
				_ = d.Ack(ctx)
				return queue.Next{}
			}
		}
		stop := start(t, c, turn)
		publish(t, c, 1, 30)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if n := len(j.seen()); n != 20 {
			t.Errorf("%d updates of the healthy lanes handled, want 20", n)
		}
		depth, err := c.Depth(t.Context())
		if err != nil || depth.Parked != 10 || depth.Queued != 0 {
			t.Errorf("depth %+v, %v; want 10 parked, 0 queued", depth, err)
		}
		lanes, err := queue.Parked(t.Context(), c)
		if err != nil || len(lanes) != 1 || lanes[0].Updates != 10 || lanes[0].Lane != "42:c:100" {
			t.Errorf("parked %+v, %v", lanes, err)
		}
		stop() // the next owner finds the lane parked
		stuck.Store(false)
		stop = start(t, c, turn)
		publish(t, c, 31, 36)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n := len(j.seen()); n != 24 {
			t.Errorf("%d handled before the lane's time, want 24", n)
		}
		if err := queue.Free(t.Context(), c, 0, "42:c:100"); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		stop()
		inOrder(t, j.seen(), 36)
		if depth, err := c.Depth(t.Context()); err != nil || depth.Parked != 0 || depth.Queued != 0 {
			t.Errorf("depth %+v, %v; want nothing left", depth, err)
		}
	})
}

func TestParkedLaneIsFreedByTime(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := connect(t, s)
		defer c.Close(t.Context())
		var j journal
		began := time.Now()
		stop := start(t, c, func(d *queue.Delivery) queue.Attempt {
			return func(ctx context.Context) queue.Next {
				if time.Since(began) < 20*time.Second {
					return queue.Next{Again: 30 * time.Second, Park: true}
				}
				j.note(d.ID)
				_ = d.Ack(ctx)
				return queue.Next{}
			}
		})
		publish(t, c, 1, 9)
		time.Sleep(29 * time.Second)
		if n := len(j.seen()); n != 0 {
			t.Errorf("%d handled before their time", n)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		stop()
		inOrder(t, j.seen(), 9)
	})
}
