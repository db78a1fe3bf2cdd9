package parking_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/broker/natstest"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/queue/queuetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFloodedLaneLeavesTheWindowToOthers(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := queuetest.Connect(t, s)
		defer c.Close(t.Context())
		const updates = 600 // more than twice the window
		var j queuetest.Journal
		quiet := make(chan time.Time, 1)
		stop := queuetest.Start(t, c, func(d *queue.Delivery) queue.Attempt {
			return func(ctx context.Context) queue.Next {
				if d.ID == 1 {
					quiet <- time.Now()
				} else {
					time.Sleep(time.Second) // as a chat that may get one message a second
				}
				j.Note(d.ID)
				_ = d.Ack(ctx)
				return queue.Next{}
			}
		})
		queuetest.PublishTo(t, c, 100, queuetest.Flood(updates)...)
		sent := time.Now()
		queuetest.PublishTo(t, c, 101, 1)
		if took := (<-quiet).Sub(sent); took > time.Second {
			t.Errorf("the quiet chat waited %v behind a flood of %d", took, updates)
		}
		time.Sleep((updates + 60) * time.Second)
		synctest.Wait()
		stop()
		queuetest.InOrder(t, j.Seen(), updates+1)
		queuetest.NothingLeft(t, c)
	})
}

func TestFloodKeepsItsOrderThroughTakeovers(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		const updates = 500
		var j queuetest.Journal
		attempt := func(ctx context.Context, d *queue.Delivery) queue.Next {
			select {
			case <-time.After(300 * time.Millisecond):
			case <-ctx.Done():
				return queue.Next{Again: time.Nanosecond}
			}
			j.Note(d.ID)
			_ = d.Ack(ctx)
			return queue.Next{}
		}
		feeder := queuetest.Connect(t, s)
		defer feeder.Close(t.Context())
		queuetest.PublishTo(t, feeder, 100, queuetest.Flood(updates)...)
		for round := 0; len(j.Seen()) < updates && round < 60; round++ {
			c := queuetest.Connect(t, s)
			ctx, kill := context.WithCancel(t.Context())
			stop := queuetest.Start(t, c, func(d *queue.Delivery) queue.Attempt {
				return func(work context.Context) queue.Next {
					if ctx.Err() != nil {
						return queue.Next{Again: time.Nanosecond} // dead
					}
					return attempt(work, d)
				}
			})
			time.Sleep(time.Duration(100+round*977%7000) * time.Millisecond)
			if round%2 == 0 { // it dies: nothing from it reaches the broker any more
				kill()
				c.Close(t.Context())
			}
			stop()
			kill()
			c.Close(t.Context())
		}
		queuetest.InOrder(t, j.Seen(), updates)
	})
}

// A former owner may move a flood while its successor prunes. It stops at the next copy, although
// it does not know yet that its pin is lost.
func TestFloodStopsWhereItsCopiesArePruned(t *testing.T) {
	const all = 256*3/4 + 1 // the last one makes the window crowded
	for range 20 {
		written := 0
		natstest.Bubble(t, func(t *testing.T, s *embedded.Server) { written = pruneInto(t, s, 0, all) })
		if written < all {
			return
		}
	}
	t.Error("the successor pruned too late each time")
}

func TestSecondFloodStopsWhereItsCopiesArePruned(t *testing.T) {
	const all = 256*3/4 + 1
	for range 20 {
		written := 0
		natstest.Bubble(t, func(t *testing.T, s *embedded.Server) { written = pruneInto(t, s, all, all) })
		if written < all {
			return
		}
	}
	t.Error("the successor pruned too late each time")
}

// pruneInto prunes while an owner moves a flood, the second one if first is not 0, and returns how
// many copies were written.
func pruneInto(t *testing.T, s *embedded.Server, first, updates int) (written int) {
	t.Helper()
	c, successor := queuetest.Connect(t, s), queuetest.Connect(t, s)
	defer c.Close(t.Context())
	defer successor.Close(t.Context())
	parked, err := successor.JetStream().Stream(t.Context(), broker.Names{}.Parked())
	if err != nil {
		t.Fatal(err)
	}
	work, end := context.WithCancel(t.Context())
	stop, _ := queuetest.Run(work, t, c, func(*queue.Delivery) queue.Attempt {
		return func(ctx context.Context) queue.Next { <-ctx.Done(); return queue.Next{} } // the lane's head
	})
	queuetest.PublishTo(t, c, 100, queuetest.Flood(first)...)
	time.Sleep(queuetest.PinTTL / 20)
	synctest.Wait()
	_, err = successor.NATS().Subscribe("parked.0.42.c:100", func(*nats.Msg) {
		if written++; written == 3 {
			if err := parked.Purge(t.Context(), jetstream.WithPurgeSubject("parked.0.42.c:100")); err != nil {
				t.Error(err)
			}
			formerCopies(t, successor, 3)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	_ = successor.NATS().Flush()
	queuetest.PublishTo(t, c, 100, queuetest.Flood(first + updates)[first:]...)
	time.Sleep(queuetest.PinTTL / 20)
	synctest.Wait()
	info, err := parked.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info.State.Msgs != 1 || written < 4 {
		t.Errorf("%d copies are parked of %d that were written, want the successor's alone", info.State.Msgs, written)
	}
	end()
	stop()
	return written - 1 // the successor's
}
