package queue_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/partition"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/queue/embedded"
	"github.com/chatlane/chatlane/internal/queue/natstest"
)

// startAssigned is start for an owner that is told whether the partition belongs elsewhere.
func startAssigned(t *testing.T, c *queue.Conn, elsewhere *atomic.Bool, turn func(*queue.Delivery) queue.Turn) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	o := queue.NewOwner(c, queue.OwnerConfig{
		PinTTL: pinTTL, Elsewhere: func(partition.ID) bool { return elsewhere.Load() },
	}, lane.NewSlots(64), nil)
	done := make(chan struct{})
	go func() { defer close(done); _ = o.Run(ctx, t.Context(), partition.ID(0), turn) }()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(stop)
	return stop
}

// answeredSoon publishes and waits until all n updates have been handled.
func answeredSoon(t *testing.T, c *queue.Conn, j *journal, from, to int) {
	t.Helper()
	publish(t, c, from, to)
	said := time.Now()
	for len(j.seen()) < to && time.Since(said) < 10*time.Second {
		time.Sleep(10 * time.Millisecond)
		synctest.Wait()
	}
	if took := time.Since(said); took > pinTTL/10 {
		t.Errorf("the partition lay idle for %v after it was assigned to this worker, want at most %v", took, pinTTL/10)
	}
}

// A worker that won a partition beside its owner gives it back. When the plan then
// names that worker itself, it must not wait for the owner who is none any more.
func TestCededPartitionIsTakenAgainWhenThePlanTurns(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		a, b := connect(t, s), connect(t, s)
		defer a.Close(t.Context())
		defer b.Close(t.Context())
		var j journal
		stopA := start(t, a, j.turn)
		publish(t, a, 1, 3)
		time.Sleep(100 * time.Millisecond)
		var elsewhere atomic.Bool
		elsewhere.Store(true)
		stopB := startAssigned(t, b, &elsewhere, j.turn)
		time.Sleep(time.Second)
		stopA()
		publish(t, b, 4, 4) // it brings b the pin, which b cedes
		time.Sleep(20 * time.Millisecond)
		synctest.Wait()
		elsewhere.Store(false)
		answeredSoon(t, b, &j, 5, 6)
		stopB()
		inOrder(t, j.seen(), 6)
	})
}

// A worker that leaves the first word to the owner of a partition that nobody holds
// asks for it at once when the plan makes it the owner.
func TestNewOwnerAsksAtOnceForAPartitionThatNobodyHolds(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := connect(t, s)
		defer c.Close(t.Context())
		var j journal
		var elsewhere atomic.Bool
		elsewhere.Store(true)
		stop := startAssigned(t, c, &elsewhere, j.turn)
		time.Sleep(pinTTL / 4)
		elsewhere.Store(false)
		time.Sleep(pinTTL / 20)
		answeredSoon(t, c, &j, 1, 3)
		stop()
		inOrder(t, j.seen(), 3)
	})
}
