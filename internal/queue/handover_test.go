package queue_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/broker/natstest"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/partition"
	"github.com/chatlane/chatlane/internal/queue"
)

// The partitions of a worker share its slots. One whose updates only wait for a slot is
// handed over at once, however long the handlers of the others run.
func TestHandOverWaitsForNoOtherPartition(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := connect(t, s)
		defer c.Close(t.Context())
		two := broker.Topology{Partitions: 2, PinTTL: pinTTL}
		if err := c.EnsureConsumers(t.Context(), two); err != nil {
			t.Fatal(err)
		}
		o := queue.NewOwner(c, queue.OwnerConfig{PinTTL: pinTTL}, lane.NewSlots(1), nil)
		own := func(p partition.ID, turn func(*queue.Delivery) queue.Attempt) (stop func()) {
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() { defer close(done); _ = o.Run(ctx, t.Context(), p, turn) }()
			stop = sync.OnceFunc(func() { cancel(); <-done })
			t.Cleanup(stop)
			return stop
		}
		began, finish := make(chan struct{}, 1), make(chan struct{})
		own(0, func(d *queue.Delivery) queue.Attempt {
			return func(ctx context.Context) queue.Next {
				began <- struct{}{}
				<-finish
				_ = d.Ack(ctx)
				return queue.Next{}
			}
		})
		var j journal
		stop := own(1, j.turn)
		chats := [2]int64{}
		for chat := int64(1); chats[0] == 0 || chats[1] == 0; chat++ {
			chats[partition.Of(fmt.Sprintf("42:c:%d", chat), 2)] = chat
		}
		p := queue.NewPublisher(c, 2, nil)
		for i, chat := range chats {
			u := queue.Update{ID: int64(i + 1), Type: "message", Lane: lane.Key(fmt.Sprintf("42:c:%d", chat)), Body: []byte(`{}`), Received: time.Now()}
			u.Scope = lane.Scope{Bot: 42, Kind: lane.KindChat, Chat: chat}
			if err := p.Publish(t.Context(), u); err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				within(t, pinTTL, "the handler that takes the slot", began)
			}
		}
		time.Sleep(pinTTL)
		synctest.Wait()
		before := time.Now()
		go func() { time.Sleep(time.Minute); close(finish) }()
		stop()
		if took := time.Since(before); took > 100*time.Millisecond {
			t.Errorf("hand-over took %v, with nothing running in the partition", took)
		}
		<-finish
		if n := len(j.seen()); n != 0 {
			t.Errorf("%d updates ran without a slot", n)
		}
	})
}
