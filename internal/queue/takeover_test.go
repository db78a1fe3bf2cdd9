package queue_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/broker/natstest"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/partition"
	"github.com/chatlane/chatlane/internal/queue"
)

// within takes what has to come in time; virtual time goes on for ever without a bound.
func within[T any](t *testing.T, d time.Duration, what string, c <-chan T) (v T) {
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

// wired is a connection that a test can hold.
func wired(t *testing.T, s *embedded.Server) (*broker.Conn, *natstest.Wire) {
	t.Helper()
	w := natstest.NewWire(s)
	c, err := broker.Connect(t.Context(), broker.Config{Options: []nats.Option{w.Option()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Thaw(); c.Close(context.Background()) })
	return c, w
}

// run is an owner of partition 0 with a registry of its own.
func run(work context.Context, t *testing.T, c *broker.Conn, turn func(*queue.Delivery) queue.Attempt) (stop func(), reg *prometheus.Registry) {
	t.Helper()
	reg = prometheus.NewRegistry()
	ctx, cancel := context.WithCancel(t.Context())
	o := queue.NewOwner(c, queue.OwnerConfig{PinTTL: pinTTL}, lane.NewSlots(64), reg)
	done := make(chan struct{})
	go func() { defer close(done); _ = o.Run(ctx, work, partition.ID(0), turn) }()
	t.Cleanup(func() { cancel(); <-done })
	return func() { cancel(); <-done }, reg
}

func resetsOf(t *testing.T, reg *prometheus.Registry) func(reason string) int {
	t.Helper()
	return func(reason string) int { return counter(t, reg, "chatlane_partition_resets_total", reason) }
}

// The reset at takeover is what brings back, in order, what a dead owner held. The
// contiguity check would notice its absence, but only as a gap.
func TestTakeoverResetsOnceAndHasNothingToRepair(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		dead, wire := wired(t, s)
		c := connect(t, s)
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
		run(work, t, dead, hold)
		publish(t, c, 1, 20)
		time.Sleep(time.Second)
		var j journal
		_, reg := run(t.Context(), t, c, j.turn)
		time.Sleep(time.Second)
		wire.Cut()
		kill()
		publish(t, c, 21, 24)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		resets := resetsOf(t, reg)
		if n := resets("takeover"); n != 1 {
			t.Errorf("%d resets at takeover, want 1", n)
		}
		if gaps, stalls := resets("gap"), resets("stalled"); gaps+stalls != 0 {
			t.Errorf("takeover needed repair: %d gaps, %d stalls", gaps, stalls)
		}
		var rest []int64
		for _, id := range j.seen() {
			if id > 6 {
				rest = append(rest, id)
			}
		}
		inOrder(t, rest, 18)
	})
}

// An owner that pulled without its pin would be one of those who stand by, and lose
// the partition to itself each time the pin runs out.
func TestOwnerKeepsItsPinForAsLongAsItPulls(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := connect(t, s)
		defer c.Close(t.Context())
		var j journal
		_, reg := run(t.Context(), t, c, j.turn)
		for i := 1; i <= 20; i++ {
			publish(t, c, i, i)
			time.Sleep(pinTTL / 2)
		}
		synctest.Wait()
		if n := resetsOf(t, reg)("takeover"); n != 1 {
			t.Errorf("took its partition over %d times, want once", n)
		}
		inOrder(t, j.seen(), 20)
	})
}

// A broker that answers with another's pin says at once what the watchdog would find
// out only after its silence.
func TestRefusedPinEndsTheTermWithinOneTick(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		a, b := connect(t, s), connect(t, s)
		defer a.Close(t.Context())
		defer b.Close(t.Context())
		began, cause := make(chan struct{}, 1), make(chan error, 1)
		run(t.Context(), t, a, stuck(began, cause))
		publish(t, a, 1, 2)
		within(t, time.Second, "the first turn", began)
		time.Sleep(time.Second)
		if err := queue.TakePin(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		took := time.Now()
		if err := within(t, 10*time.Second, "the end of the turn", cause); !errors.Is(err, queue.ErrPinLost) {
			t.Errorf("turn was cancelled with %v, want ErrPinLost", err)
		}
		if d := time.Since(took); d > pinTTL/4+50*time.Millisecond {
			t.Errorf("cancelled %v after the pin was taken, want at the next pull, within %v", d, pinTTL/4)
		}
	})
}

// stuck is a turn of update 1 that tells when it began and why it was cancelled.
func stuck(began chan<- struct{}, cause chan<- error) func(*queue.Delivery) queue.Attempt {
	var once atomic.Bool
	return func(d *queue.Delivery) queue.Attempt {
		return func(ctx context.Context) queue.Next {
			if d.ID != 1 || !once.CompareAndSwap(false, true) {
				_ = d.Ack(ctx)
				return queue.Next{}
			}
			began <- struct{}{}
			<-ctx.Done()
			cause <- context.Cause(ctx)
			return queue.Next{Again: time.Nanosecond}
		}
	}
}

// Who hears nothing of the broker for as long as a pin lives may have lost it.
func TestSilentBrokerCancelsRunningTurns(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		b := connect(t, s)
		defer b.Close(t.Context())
		a, wire := wired(t, s)
		began, cause := make(chan struct{}, 1), make(chan error, 1)
		run(t.Context(), t, a, stuck(began, cause))
		publish(t, b, 1, 1)
		within(t, time.Second, "the first turn", began)
		time.Sleep(time.Second)
		wire.Hold()
		held := time.Now()
		err := within(t, 20*time.Second, "the end of the turn", cause)
		wire.Thaw()
		if !errors.Is(err, queue.ErrSilent) {
			t.Errorf("turn was cancelled with %v, want ErrSilent", err)
		}
		if d := time.Since(held); d > pinTTL+pinTTL/2 {
			t.Errorf("cancelled after %v of silence, want about %v", d, pinTTL)
		}
	})
}

// While running turns end, the pin is kept: nobody else begins before they have.
func TestHandOverKeepsThePinWhileATurnRuns(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		a, b := connect(t, s), connect(t, s)
		defer a.Close(t.Context())
		defer b.Close(t.Context())
		var j journal
		var ended atomic.Bool
		began := make(chan struct{}, 1)
		stopA, _ := run(t.Context(), t, a, func(d *queue.Delivery) queue.Attempt {
			return func(ctx context.Context) queue.Next {
				began <- struct{}{}
				time.Sleep(4 * pinTTL)
				ended.Store(true)
				j.note(d.ID)
				_ = d.Ack(ctx)
				return queue.Next{}
			}
		})
		publish(t, a, 3, 3)
		within(t, time.Second, "the first turn", began)
		run(t.Context(), t, b, func(d *queue.Delivery) queue.Attempt {
			if !ended.Load() {
				t.Errorf("update %d was delivered elsewhere while a turn still ran", d.ID)
			}
			return j.turn(d)
		})
		time.Sleep(time.Second)
		stopA()
		publish(t, a, 6, 9)
		time.Sleep(time.Second)
		synctest.Wait()
		inOrder(t, j.seen(), 5)
	})
}

func TestPinLostWhileHandingOverCancelsRunningTurns(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		a, b := connect(t, s), connect(t, s)
		defer a.Close(t.Context())
		defer b.Close(t.Context())
		began, cause := make(chan struct{}, 1), make(chan error, 1)
		stop, reg := run(t.Context(), t, a, stuck(began, cause))
		publish(t, a, 1, 1)
		within(t, time.Second, "the first turn", began)
		go stop()
		time.Sleep(time.Second)
		publish(t, a, 2, 2) // what the thief's pin comes with
		if err := queue.TakePin(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if err := within(t, pinTTL, "the end of the turn", cause); !errors.Is(err, queue.ErrPinLost) {
			t.Errorf("turn was cancelled with %v, want ErrPinLost", err)
		}
		stop()
		if n := resetsOf(t, reg)("handover"); n != 0 {
			t.Error("an owner without a pin reset the consumer of the next one")
		}
	})
}

// What the former owner held unstarted is what the next one is pinned by.
func TestHandOverOfADeliveredBacklogIsNotWaitedFor(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		a, b := connect(t, s), connect(t, s)
		defer a.Close(t.Context())
		defer b.Close(t.Context())
		var j journal
		stopA, _ := run(t.Context(), t, a, func(d *queue.Delivery) queue.Attempt {
			return func(ctx context.Context) queue.Next {
				time.Sleep(time.Second)
				return j.turn(d)(ctx)
			}
		})
		publish(t, a, 1, 3)
		time.Sleep(pinTTL)
		var first atomic.Int64
		_, reg := run(t.Context(), t, b, func(d *queue.Delivery) queue.Attempt {
			first.CompareAndSwap(0, time.Now().UnixNano())
			return j.turn(d)
		})
		time.Sleep(time.Second)
		publish(t, a, 4, 60) // all of them are delivered to a
		time.Sleep(100 * time.Millisecond)
		stopA()
		over := time.Now()
		time.Sleep(time.Second)
		synctest.Wait()
		if d := time.Unix(0, first.Load()).Sub(over); d > 20*time.Millisecond {
			t.Errorf("the next owner began %v after the hand-over", d)
		}
		if n := resetsOf(t, reg)("orphaned"); n != 0 {
			t.Error("the next owner had to free what was left behind")
		}
		inOrder(t, j.seen(), 60)
	})
}
