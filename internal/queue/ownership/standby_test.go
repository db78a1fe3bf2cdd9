package ownership_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/broker/natstest"
	"github.com/chatlane/chatlane/internal/fleet"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/partition"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/queue/ownership"
	"github.com/chatlane/chatlane/internal/queue/queuetest"
)

// startAssigned runs an owner with a changing role.
func startAssigned(t *testing.T, c *broker.Conn, role *atomic.Int32, attempt func(*queue.Delivery) queue.Attempt) (stop func()) {
	t.Helper()
	o := ownership.New(ownership.Config{
		PinTTL: queuetest.PinTTL, Role: func(partition.ID) fleet.Role { return fleet.Role(role.Load()) },
	}, c, lane.NewSlots(64), nil)
	return queuetest.RunOwner(t.Context(), t, o, 0, attempt)
}

func answeredSoon(t *testing.T, c *broker.Conn, j *queuetest.Journal, from, to int) {
	t.Helper()
	queuetest.Publish(t, c, from, to)
	published := time.Now()
	for len(j.Seen()) < to && time.Since(published) < 10*time.Second {
		time.Sleep(10 * time.Millisecond)
		synctest.Wait()
	}
	if took := time.Since(published); took > queuetest.PinTTL/10 {
		t.Errorf("the partition lay idle for %v after it was assigned to this worker, want at most %v", took, queuetest.PinTTL/10)
	}
}

// A worker that won a partition beside its owner gives it back. When the plan then names that
// worker, it must not wait for the former owner.
func TestReleasedPartitionIsTakenAgainWhenThePlanTurns(t *testing.T) {
	queuetest.Two(t, func(t *testing.T, a, b *broker.Conn) {
		var j queuetest.Journal
		stopA := queuetest.Start(t, a, j.Attempt)
		queuetest.Publish(t, a, 1, 3)
		time.Sleep(100 * time.Millisecond)
		var role atomic.Int32
		role.Store(int32(fleet.RoleStandby))
		stopB := startAssigned(t, b, &role, j.Attempt)
		time.Sleep(time.Second)
		stopA()
		queuetest.Publish(t, b, 4, 4) // it brings b the pin, which b releases
		time.Sleep(20 * time.Millisecond)
		synctest.Wait()
		role.Store(int32(fleet.RoleOwner))
		answeredSoon(t, b, &j, 5, 6)
		stopB()
		queuetest.InOrder(t, j.Seen(), 6)
	})
}

// Until then it leaves the first request to the owner.
func TestNewOwnerAsksAtOnceForAPartitionThatNobodyHolds(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := queuetest.Connect(t, s)
		defer c.Close(t.Context())
		var j queuetest.Journal
		var role atomic.Int32
		role.Store(int32(fleet.RoleBystander))
		stop := startAssigned(t, c, &role, j.Attempt)
		time.Sleep(queuetest.PinTTL / 4)
		role.Store(int32(fleet.RoleOwner))
		time.Sleep(queuetest.PinTTL / 20)
		answeredSoon(t, c, &j, 1, 3)
		stop()
		queuetest.InOrder(t, j.Seen(), 3)
	})
}

// The partition pauses while its running attempts end, and hardly longer.
func TestPlannedMovePausesForTheLongestRunningAttempt(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		const longest = 3 * time.Second
		a, b := queuetest.Connect(t, s), queuetest.Connect(t, s)
		defer a.Close(t.Context())
		defer b.Close(t.Context())
		var j queuetest.Journal
		var ofA, ofB atomic.Int32
		ofB.Store(int32(fleet.RoleStandby))
		var ended, resumed time.Time
		stopA := startAssigned(t, a, &ofA, func(d *queue.Delivery) queue.Attempt {
			return func(ctx context.Context) queue.Next {
				if d.ID == 3 {
					time.Sleep(longest)
					ended = time.Now()
				}
				return j.Attempt(d)(ctx)
			}
		})
		time.Sleep(time.Second)
		stopB := startAssigned(t, b, &ofB, func(d *queue.Delivery) queue.Attempt {
			return func(ctx context.Context) queue.Next {
				if resumed.IsZero() {
					resumed = time.Now()
				}
				return j.Attempt(d)(ctx)
			}
		})
		time.Sleep(time.Second)
		queuetest.Publish(t, a, 1, 3)
		time.Sleep(10 * time.Millisecond)
		ofA.Store(int32(fleet.RoleStandby))
		ofB.Store(int32(fleet.RoleOwner))
		for id := 4; id <= 200; id++ {
			queuetest.Publish(t, a, id, id)
			time.Sleep(20 * time.Millisecond)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if pause := resumed.Sub(ended); pause < 0 || pause > 200*time.Millisecond {
			t.Errorf("the partition goes on %v after its longest running attempt has ended, want at most 200ms", pause)
		} else {
			t.Logf("goes on %v after its longest running attempt of %v", pause, longest)
		}
		stopA()
		stopB()
		queuetest.InOrder(t, j.Seen(), 200)
	})
}

// The plan's owner may be alive and not take the partition, and a dead owner may hold updates.
func TestBystanderTakesWhatNobodyElseDoes(t *testing.T) {
	queuetest.Two(t, func(t *testing.T, a, b *broker.Conn) {
		handled := func(j *queuetest.Journal, n int) {
			t.Helper()
			for began := time.Now(); len(j.Seen()) < n; {
				if time.Since(began) > 4*queuetest.PinTTL {
					t.Fatalf("%d of %d updates are handled after %v", len(j.Seen()), n, time.Since(began))
				}
				time.Sleep(queuetest.PinTTL / 20)
				synctest.Wait()
			}
		}
		var role atomic.Int32
		role.Store(int32(fleet.RoleBystander))
		var never, orphaned queuetest.Journal
		stop := startAssigned(t, a, &role, never.Attempt)
		queuetest.Publish(t, a, 1, 3)
		handled(&never, 3)
		stop()
		ctx, die := context.WithCancel(t.Context())
		stopDead, _ := queuetest.Run(ctx, t, a, func(*queue.Delivery) queue.Attempt {
			return func(ctx context.Context) queue.Next { <-ctx.Done(); return queue.Next{} }
		})
		queuetest.Publish(t, b, 4, 6)
		time.Sleep(time.Second)
		a.Close(t.Context()) // with three updates at hand
		die()
		stopDead()
		stop = startAssigned(t, b, &role, orphaned.Attempt)
		handled(&orphaned, 3)
		stop()
	})
}
