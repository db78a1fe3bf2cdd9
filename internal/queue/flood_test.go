package queue_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/broker/natstest"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/queue"
)

// publishTo stores updates of one chat; their ids are those of inOrder's lane chat%3.
func publishTo(t *testing.T, c *broker.Conn, chat int64, ids ...int64) {
	t.Helper()
	p := queue.NewPublisher(c, 1, nil)
	for _, id := range ids {
		u := queue.Update{ID: id, Type: "message", Lane: lane.Key(fmt.Sprintf("42:c:%d", chat)), Body: []byte(`{}`), Received: time.Now()}
		u.Scope = lane.Scope{Bot: 42, Kind: lane.KindChat, Chat: chat}
		if err := p.Publish(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
}

// every third id from 3 on belongs to the flood.
func flood(n int) []int64 {
	ids := make([]int64, n)
	for i := range ids {
		ids[i] = int64(3 * (i + 1))
	}
	return ids
}

func TestFloodedLaneLeavesTheWindowToOthers(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := connect(t, s)
		defer c.Close(t.Context())
		const updates = 600 // more than twice the window
		var j journal
		quiet := make(chan time.Time, 1)
		stop := start(t, c, func(d *queue.Delivery) queue.Attempt {
			return func(ctx context.Context) queue.Next {
				if d.ID == 1 {
					quiet <- time.Now()
				} else {
					time.Sleep(time.Second) // as a chat that may get one message a second
				}
				j.note(d.ID)
				_ = d.Ack(ctx)
				return queue.Next{}
			}
		})
		publishTo(t, c, 100, flood(updates)...)
		sent := time.Now()
		publishTo(t, c, 101, 1)
		if took := (<-quiet).Sub(sent); took > time.Second {
			t.Errorf("the quiet chat waited %v behind a flood of %d", took, updates)
		}
		time.Sleep((updates + 60) * time.Second)
		synctest.Wait()
		stop()
		inOrder(t, j.seen(), updates+1)
		if depth, err := c.Depth(t.Context()); err != nil || depth.Parked != 0 || depth.Queued != 0 {
			t.Errorf("depth %+v, %v; want nothing left", depth, err)
		}
	})
}

// A lane that floods goes from owner to owner, gracefully or not, in the middle of it.
func TestFloodKeepsItsOrderThroughTakeovers(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		const updates = 500
		var j journal
		turn := func(ctx context.Context, d *queue.Delivery) queue.Next {
			select {
			case <-time.After(300 * time.Millisecond):
			case <-ctx.Done():
				return queue.Next{Again: time.Nanosecond}
			}
			j.note(d.ID)
			_ = d.Ack(ctx)
			return queue.Next{}
		}
		feeder := connect(t, s)
		defer feeder.Close(t.Context())
		publishTo(t, feeder, 100, flood(updates)...)
		for round := 0; len(j.seen()) < updates && round < 60; round++ {
			c := connect(t, s)
			ctx, kill := context.WithCancel(t.Context())
			stop := start(t, c, func(d *queue.Delivery) queue.Attempt {
				return func(work context.Context) queue.Next {
					if ctx.Err() != nil {
						return queue.Next{Again: time.Nanosecond} // dead
					}
					return turn(work, d)
				}
			})
			time.Sleep(time.Duration(100+round*977%7000) * time.Millisecond)
			if round%2 == 0 { // dies: nothing it does reaches the broker any more
				kill()
				c.Close(t.Context())
			}
			stop()
			kill()
			c.Close(t.Context())
		}
		inOrder(t, j.seen(), updates)
	})
}

// A worker that was frozen writes its copy after its successor has listed the parked
// lanes: it must not let go of the original.
func TestCopyOfAFormerOwnerLeavesTheOriginal(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := connect(t, s)
		defer c.Close(t.Context())
		for owner, want := range map[error]broker.Depth{
			queue.ErrPinLost: {Parked: 1, Queued: 1}, // the copy is nobody's
			nil:              {Parked: 1, Queued: 0},
		} {
			release := make(chan struct{})
			stop := start(t, c, func(d *queue.Delivery) queue.Attempt {
				return func(ctx context.Context) queue.Next {
					queue.PutAside(ctx, c, d, owner)
					<-release
					_ = d.Ack(ctx)
					return queue.Next{}
				}
			})
			publishTo(t, c, 100, 3)
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
			got, err := c.Depth(t.Context())
			if err != nil || got.Parked != want.Parked || got.Queued != want.Queued {
				t.Errorf("ownership %v: depth %+v, %v; want %+v", owner, got, err, want)
			}
			close(release)
			stop()
			if err := queue.Empty(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// formerCopies are copies that a former owner of the partition writes too late: of these
// updates, which it has not let go of.
func formerCopies(t *testing.T, c *broker.Conn, ids ...int64) {
	t.Helper()
	for _, id := range ids {
		d := &queue.Delivery{Update: queue.Update{ID: id, Type: "message", Lane: "42:c:100", Body: []byte(`{}`), Received: time.Now()}, Seq: uint64(id) / 3}
		d.Scope = lane.Scope{Bot: 42, Kind: lane.KindChat, Chat: 100}
		queue.PutAside(t.Context(), c, d, queue.ErrPinLost)
	}
}

// A worker that was frozen while it put a flood aside goes on with that when it is
// awake. The lane's new owner must not take those copies for older than the update that
// it parks itself.
func TestCopiesOfAFormerOwnerOvertakeNothing(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := connect(t, s)
		defer c.Close(t.Context())
		var j journal
		late := false
		stop := start(t, c, func(d *queue.Delivery) queue.Attempt {
			return func(ctx context.Context) queue.Next {
				if d.ID == 3 && !late {
					late = true
					formerCopies(t, c, 6, 9)
					return queue.Next{Again: 10 * time.Second, Park: true}
				}
				j.note(d.ID)
				_ = d.Ack(ctx)
				return queue.Next{}
			}
		})
		publishTo(t, c, 100, flood(4)...)
		time.Sleep(time.Minute)
		synctest.Wait()
		stop()
		inOrder(t, j.seen(), 4)
		if depth, err := c.Depth(t.Context()); err != nil || depth.Parked != 0 || depth.Queued != 0 {
			t.Errorf("depth %+v, %v; want nothing left", depth, err)
		}
	})
}

// What a former owner copies too late is swept away by the owner, which looks for it every
// minute. A parked lane is not swept.
func TestFormerOwnersCopiesAreSweptAway(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := connect(t, s)
		defer c.Close(t.Context())
		var j journal
		wait := time.Duration(0)
		stop := start(t, c, func(d *queue.Delivery) queue.Attempt {
			return func(ctx context.Context) queue.Next {
				if wait > 0 && time.Since(d.Received) < wait {
					return queue.Next{Again: wait, Park: true}
				}
				j.note(d.ID)
				_ = d.Ack(ctx)
				return queue.Next{}
			}
		})
		publishTo(t, c, 100, 3)
		time.Sleep(time.Second)
		formerCopies(t, c, 3)
		time.Sleep(time.Minute + pinTTL)
		synctest.Wait()
		if depth, err := c.Depth(t.Context()); err != nil || depth.Parked != 0 {
			t.Errorf("depth %+v, %v; want the copy swept away", depth, err)
		}
		wait = 90 * time.Second
		publishTo(t, c, 100, 6, 9)
		time.Sleep(time.Second)
		formerCopies(t, c, 6)
		time.Sleep(4 * time.Minute)
		synctest.Wait()
		stop()
		if want := []int64{3, 6, 9}; !slices.Equal(j.seen(), want) { // the copy of 6 is skipped, as by its cursor
			t.Errorf("seen %v, want %v", j.seen(), want)
		}
		if depth, err := c.Depth(t.Context()); err != nil || depth.Parked != 0 || depth.Queued != 0 {
			t.Errorf("depth %+v, %v; want nothing left", depth, err)
		}
	})
}

// A sweep removes what was there before the broker confirmed the pin, and only then:
// anything later may be the successor's.
func TestSweepRemovesNoMoreThanItSawWhileItsOwnerWasOwner(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := connect(t, s)
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
			queue.Sweep(t.Context(), c, "42:c:100", tt.mine)
			if depth, err := c.Depth(t.Context()); err != nil || depth.Parked != tt.left {
				t.Errorf("%s: depth %+v, %v; want %d parked", tt.name, depth, err, tt.left)
			}
		}
	})
}
