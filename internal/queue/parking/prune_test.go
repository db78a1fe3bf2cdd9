package parking_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/broker/natstest"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/queue/parking"
	"github.com/chatlane/chatlane/internal/queue/queuetest"
)

// A worker that was frozen writes its copy after its successor has listed the parked lanes.
func TestCopyOfAFormerOwnerLeavesTheOriginal(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := queuetest.Connect(t, s)
		defer c.Close(t.Context())
		for owner, want := range map[error]broker.Depth{
			queue.ErrPinLost: {Parked: 1, Queued: 1}, // the copy is an orphan
			nil:              {Parked: 1, Queued: 0},
		} {
			release := make(chan struct{})
			stop := queuetest.Start(t, c, func(d *queue.Delivery) queue.Attempt {
				return func(ctx context.Context) queue.Next {
					parking.Park(ctx, c, owner, d)
					<-release
					_ = d.Ack(ctx)
					return queue.Next{}
				}
			})
			queuetest.PublishTo(t, c, 100, 3)
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
			got, err := c.Depth(t.Context())
			if err != nil || got.Parked != want.Parked || got.Queued != want.Queued {
				t.Errorf("ownership %v: depth %+v, %v; want %+v", owner, got, err, want)
			}
			close(release)
			stop()
			if err := parking.Empty(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// formerCopies are copies that a former owner writes too late, of updates that it has not acknowledged.
func formerCopies(t *testing.T, c *broker.Conn, ids ...int64) {
	t.Helper()
	for _, id := range ids {
		d := &queue.Delivery{Update: queue.Update{ID: id, Type: "message", Lane: "42:c:100", Body: []byte(`{}`), Received: time.Now()}, Seq: uint64(id) / 3, Stream: created(t, c)}
		d.Scope = lane.Scope{Bot: 42, Kind: lane.KindChat, Chat: 100}
		parking.Park(t.Context(), c, queue.ErrPinLost, d)
	}
}

// A worker that was frozen while it moved a flood goes on. The new owner must not take those
// copies for older than the update that it parks itself.
func TestCopiesOfAFormerOwnerOvertakeNothing(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := queuetest.Connect(t, s)
		defer c.Close(t.Context())
		var j queuetest.Journal
		late := false
		stop := queuetest.Start(t, c, j.ParkFor(func(d *queue.Delivery) time.Duration {
			if d.ID != 3 || late {
				return 0
			}
			late = true
			formerCopies(t, c, 6, 9)
			return 10 * time.Second
		}))
		queuetest.PublishTo(t, c, 100, queuetest.Flood(4)...)
		time.Sleep(time.Minute)
		synctest.Wait()
		stop()
		queuetest.InOrder(t, j.Seen(), 4)
		queuetest.NothingLeft(t, c)
	})
}

func TestFormerOwnersCopiesArePruned(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := queuetest.Connect(t, s)
		defer c.Close(t.Context())
		var j queuetest.Journal
		wait := time.Duration(0)
		stop := queuetest.Start(t, c, j.ParkFor(func(d *queue.Delivery) time.Duration {
			if time.Since(d.Received) < wait {
				return wait
			}
			return 0
		}))
		queuetest.PublishTo(t, c, 100, 3)
		time.Sleep(time.Second)
		formerCopies(t, c, 3)
		time.Sleep(time.Minute + queuetest.PinTTL)
		synctest.Wait()
		if depth, err := c.Depth(t.Context()); err != nil || depth.Parked != 0 {
			t.Errorf("depth %+v, %v; want the copy pruned", depth, err)
		}
		wait = 90 * time.Second
		queuetest.PublishTo(t, c, 100, 6, 9)
		time.Sleep(time.Second)
		formerCopies(t, c, 6)
		time.Sleep(4 * time.Minute)
		synctest.Wait()
		stop()
		if want := []int64{3, 6, 9}; !slices.Equal(j.Seen(), want) { // the copy of 6 is skipped, as by its cursor
			t.Errorf("seen %v, want %v", j.Seen(), want)
		}
		queuetest.NothingLeft(t, c)
	})
}

// A copy after the confirmation of the pin may be the successor's.
func TestPruneRemovesNoMoreThanItSawWhileItsOwnerWasOwner(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := queuetest.Connect(t, s)
		defer c.Close(t.Context())
		formerCopies(t, c, 3, 6)
		for _, tt := range []struct {
			name string
			mine func() error
			left uint64
		}{
			{"owner no more", func() error { return queue.ErrPinLost }, 2},
			{"frozen behind the question", func() error { formerCopies(t, c, 9); return nil }, 1},
			{"owner", func() error { return nil }, 0},
		} {
			parking.Prune(t.Context(), c, "42:c:100", tt.mine)
			if depth, err := c.Depth(t.Context()); err != nil || depth.Parked != tt.left {
				t.Errorf("%s: depth %+v, %v; want %d parked", tt.name, depth, err, tt.left)
			}
		}
	})
}

// Its copies may have been pruned: a further one would come before an older update.
func TestFormerOwnerCopiesNoMore(t *testing.T) {
	s := natstest.Start(t)
	c := queuetest.Connect(t, s)
	var ds []*queue.Delivery
	for id := range int64(3) {
		d := &queue.Delivery{Update: queue.Update{ID: id + 1, Type: "message", Lane: "42:c:100", Body: []byte(`{}`), Received: time.Now()}, Seq: uint64(id + 1), Stream: created(t, c)}
		d.Scope = lane.Scope{Bot: 42, Kind: lane.KindChat, Chat: 100}
		ds = append(ds, d)
	}
	parking.Park(t.Context(), c, queue.ErrPinLost, ds...)
	parked, err := c.JetStream().Stream(t.Context(), broker.Names{}.Parked())
	if err != nil {
		t.Fatal(err)
	}
	if n := parked.CachedInfo().State.Msgs; n != 1 {
		t.Errorf("%d copies are written, want the one after which it asked", n)
	}
}
