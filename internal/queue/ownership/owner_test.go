package ownership_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/broker/natstest"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/queue/ownership"
	"github.com/chatlane/chatlane/internal/queue/queuetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOwnerDeliversEachUpdateOnceInOrder(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := queuetest.Connect(t, s)
		var j queuetest.Journal
		stop := queuetest.Start(t, c, j.Attempt)
		queuetest.Publish(t, c, 1, 50)
		time.Sleep(time.Second)
		synctest.Wait()
		stop()
		queuetest.InOrder(t, j.Seen(), 50)
		c.Close(t.Context())
	})
}

// Without its pin it would be a standby, and lose the partition to itself each time the pin runs out.
func TestOwnerKeepsItsPinForAsLongAsItPulls(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := queuetest.Connect(t, s)
		defer c.Close(t.Context())
		var j queuetest.Journal
		_, reg := queuetest.Run(t.Context(), t, c, j.Attempt)
		for i := 1; i <= 20; i++ {
			queuetest.Publish(t, c, i, i)
			time.Sleep(queuetest.PinTTL / 2)
		}
		synctest.Wait()
		if n := queuetest.Resets(t, reg, "takeover"); n != 1 {
			t.Errorf("took its partition over %d times, want once", n)
		}
		queuetest.InOrder(t, j.Seen(), 20)
	})
}

func TestStalePinCancelsRunningTurns(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		a, b := queuetest.Connect(t, s), queuetest.Connect(t, s)
		defer a.Close(t.Context())
		defer b.Close(t.Context())
		cause := make(chan error, 1)
		stopA := queuetest.Start(t, a, func(*queue.Delivery) queue.Attempt {
			return func(ctx context.Context) queue.Next {
				<-ctx.Done()
				select {
				case cause <- context.Cause(ctx):
				default: // only the first counts
				}
				return queue.Next{Again: time.Nanosecond}
			}
		})
		queuetest.Publish(t, a, 1, 1)
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if err := ownership.TakePin(t.Context(), b); err != nil { // an operator's unpin, or a frozen moment
			t.Fatal(err)
		}
		if err := queuetest.Within(t, 20*time.Second, "the end of the attempt", cause); !errors.Is(err, queue.ErrPinLost) {
			t.Errorf("attempt was cancelled with %v, want ErrPinLost", err)
		}
		stopA()
	})
}

// The watchdog would find it only after its silence.
func TestRefusedPinEndsTheTermWithinOneTick(t *testing.T) {
	queuetest.Two(t, func(t *testing.T, a, b *broker.Conn) {
		began, cause := make(chan struct{}, 1), make(chan error, 1)
		queuetest.Run(t.Context(), t, a, stuck(began, cause))
		queuetest.Publish(t, a, 1, 2)
		queuetest.Within(t, time.Second, "the first attempt", began)
		time.Sleep(time.Second)
		if err := ownership.TakePin(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		took := time.Now()
		if err := queuetest.Within(t, 10*time.Second, "the end of the attempt", cause); !errors.Is(err, queue.ErrPinLost) {
			t.Errorf("attempt was cancelled with %v, want ErrPinLost", err)
		}
		if d := time.Since(took); d > queuetest.PinTTL/4+50*time.Millisecond {
			t.Errorf("cancelled %v after the pin was taken, want at the next pull, within %v", d, queuetest.PinTTL/4)
		}
	})
}

// Its pin may be lost after so long.
func TestSilentBrokerCancelsRunningTurns(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		b := queuetest.Connect(t, s)
		defer b.Close(t.Context())
		a, wire := queuetest.Wired(t, s)
		began, cause := make(chan struct{}, 1), make(chan error, 1)
		queuetest.Run(t.Context(), t, a, stuck(began, cause))
		queuetest.Publish(t, b, 1, 1)
		queuetest.Within(t, time.Second, "the first attempt", began)
		time.Sleep(time.Second)
		wire.Hold()
		held := time.Now()
		err := queuetest.Within(t, 20*time.Second, "the end of the attempt", cause)
		wire.Thaw()
		if !errors.Is(err, queue.ErrSilent) {
			t.Errorf("attempt was cancelled with %v, want ErrSilent", err)
		}
		if d := time.Since(held); d > queuetest.PinTTL+queuetest.PinTTL/2 {
			t.Errorf("cancelled after %v of silence, want about %v", d, queuetest.PinTTL)
		}
	})
}

// stuck is an attempt at update 1 that reports when it began and why it was cancelled.
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
