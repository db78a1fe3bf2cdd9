package ownership_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/broker/natstest"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/partition"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/queue/ownership"
	"github.com/chatlane/chatlane/internal/queue/queuetest"
)

func TestHandOverGivesThePartitionAtOnceInOrder(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		a, b := queuetest.Connect(t, s), queuetest.Connect(t, s)
		var j queuetest.Journal
		slow := func(d *queue.Delivery) queue.Attempt {
			return func(ctx context.Context) queue.Next {
				time.Sleep(50 * time.Millisecond)
				j.Note(d.ID)
				_ = d.Ack(ctx)
				return queue.Next{}
			}
		}
		stopA := queuetest.Start(t, a, slow)
		queuetest.Publish(t, a, 1, 3)
		time.Sleep(time.Second)
		stopB := queuetest.Start(t, b, j.Attempt)
		time.Sleep(time.Second)
		queuetest.Publish(t, a, 4, 60)
		time.Sleep(120 * time.Millisecond)
		before := time.Now()
		stopA()
		t.Logf("hand-over took %v after %d updates", time.Since(before), len(j.Seen()))
		if took := time.Since(before); took > 200*time.Millisecond {
			t.Errorf("hand-over took %v, want the running attempt's 50 ms and little more", took)
		}
		time.Sleep(500 * time.Millisecond)
		synctest.Wait()
		stopB()
		queuetest.InOrder(t, j.Seen(), 60)
		a.Close(t.Context())
		b.Close(t.Context())
	})
}

// Partitions share a worker's slots. Updates that wait for a slot do not delay the hand-over.
func TestHandOverWaitsForNoOtherPartition(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := queuetest.Connect(t, s)
		defer c.Close(t.Context())
		two := broker.Topology{Partitions: 2, PinTTL: queuetest.PinTTL}
		if err := c.EnsureConsumers(t.Context(), two); err != nil {
			t.Fatal(err)
		}
		o := ownership.New(ownership.Config{PinTTL: queuetest.PinTTL}, c, lane.NewSlots(1), nil)
		began, finish := make(chan struct{}, 1), make(chan struct{})
		queuetest.RunOwner(t.Context(), t, o, 0, func(d *queue.Delivery) queue.Attempt {
			return func(ctx context.Context) queue.Next {
				began <- struct{}{}
				<-finish
				_ = d.Ack(ctx)
				return queue.Next{}
			}
		})
		var j queuetest.Journal
		stop := queuetest.RunOwner(t.Context(), t, o, 1, j.Attempt)
		chats := [2]int64{}
		for chat := int64(1); chats[0] == 0 || chats[1] == 0; chat++ {
			chats[partition.Of(fmt.Sprintf("42:c:%d", chat), 2)] = chat
		}
		p := queue.NewPublisher(c, 2, nil)
		for i, chat := range chats {
			if err := p.Publish(t.Context(), queuetest.Update(chat, int64(i+1))); err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				queuetest.Within(t, queuetest.PinTTL, "the handler that takes the slot", began)
			}
		}
		time.Sleep(queuetest.PinTTL)
		synctest.Wait()
		before := time.Now()
		go func() { time.Sleep(time.Minute); close(finish) }()
		stop()
		if took := time.Since(before); took > 100*time.Millisecond {
			t.Errorf("hand-over took %v, with nothing running in the partition", took)
		}
		<-finish
		if n := len(j.Seen()); n != 0 {
			t.Errorf("%d updates ran without a slot", n)
		}
	})
}

func TestHandOverKeepsThePinWhileATurnRuns(t *testing.T) {
	queuetest.Two(t, func(t *testing.T, a, b *broker.Conn) {
		var j queuetest.Journal
		var ended atomic.Bool
		began := make(chan struct{}, 1)
		stopA, _ := queuetest.Run(t.Context(), t, a, func(d *queue.Delivery) queue.Attempt {
			return func(ctx context.Context) queue.Next {
				began <- struct{}{}
				time.Sleep(4 * queuetest.PinTTL)
				ended.Store(true)
				j.Note(d.ID)
				_ = d.Ack(ctx)
				return queue.Next{}
			}
		})
		queuetest.Publish(t, a, 3, 3)
		queuetest.Within(t, time.Second, "the first attempt", began)
		queuetest.Run(t.Context(), t, b, func(d *queue.Delivery) queue.Attempt {
			if !ended.Load() {
				t.Errorf("update %d was delivered elsewhere while an attempt still ran", d.ID)
			}
			return j.Attempt(d)
		})
		time.Sleep(time.Second)
		stopA()
		queuetest.Publish(t, a, 6, 9)
		time.Sleep(time.Second)
		synctest.Wait()
		queuetest.InOrder(t, j.Seen(), 5)
	})
}

func TestPinLostWhileHandingOverCancelsRunningTurns(t *testing.T) {
	queuetest.Two(t, func(t *testing.T, a, b *broker.Conn) {
		began, cause := make(chan struct{}, 1), make(chan error, 1)
		stop, reg := queuetest.Run(t.Context(), t, a, stuck(began, cause))
		queuetest.Publish(t, a, 1, 1)
		queuetest.Within(t, time.Second, "the first attempt", began)
		go stop()
		time.Sleep(time.Second)
		queuetest.Publish(t, a, 2, 2) // the message that the other pin comes with
		if err := ownership.TakePin(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if err := queuetest.Within(t, queuetest.PinTTL, "the end of the attempt", cause); !errors.Is(err, queue.ErrPinLost) {
			t.Errorf("attempt was cancelled with %v, want ErrPinLost", err)
		}
		stop()
		if n := queuetest.Resets(t, reg, "handover"); n != 0 {
			t.Error("an owner without a pin reset the consumer of the next one")
		}
	})
}

// The next owner is pinned with what the former one held and had not begun.
func TestHandOverOfADeliveredBacklogIsNotWaitedFor(t *testing.T) {
	queuetest.Two(t, func(t *testing.T, a, b *broker.Conn) {
		var j queuetest.Journal
		stopA, _ := queuetest.Run(t.Context(), t, a, func(d *queue.Delivery) queue.Attempt {
			return func(ctx context.Context) queue.Next {
				time.Sleep(time.Second)
				return j.Attempt(d)(ctx)
			}
		})
		queuetest.Publish(t, a, 1, 3)
		time.Sleep(queuetest.PinTTL)
		var first atomic.Int64
		_, reg := queuetest.Run(t.Context(), t, b, func(d *queue.Delivery) queue.Attempt {
			first.CompareAndSwap(0, time.Now().UnixNano())
			return j.Attempt(d)
		})
		time.Sleep(time.Second)
		queuetest.Publish(t, a, 4, 60) // all of them are delivered to a
		time.Sleep(100 * time.Millisecond)
		stopA()
		over := time.Now()
		time.Sleep(time.Second)
		synctest.Wait()
		if d := time.Unix(0, first.Load()).Sub(over); d > 20*time.Millisecond {
			t.Errorf("the next owner began %v after the hand-over", d)
		}
		if n := queuetest.Resets(t, reg, "orphaned"); n != 0 {
			t.Error("the next owner had to free what was left behind")
		}
		queuetest.InOrder(t, j.Seen(), 60)
	})
}
