package parking_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/broker/natstest"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/queue/parking"
	"github.com/chatlane/chatlane/internal/queue/queuetest"
)

func TestParkedLaneLeavesTheWindowAndKeepsItsOrder(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := queuetest.Connect(t, s)
		defer c.Close(t.Context())
		var j queuetest.Journal
		var stuck atomic.Bool
		stuck.Store(true)
		attempt := j.ParkFor(func(d *queue.Delivery) time.Duration {
			if d.ID%3 == 0 && stuck.Load() {
				return 30 * time.Second
			}
			return 0
		})
		stop := queuetest.Start(t, c, attempt)
		queuetest.Publish(t, c, 1, 30)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if n := len(j.Seen()); n != 20 {
			t.Errorf("%d updates of the healthy lanes handled, want 20", n)
		}
		depth, err := c.Depth(t.Context())
		if err != nil || depth.Parked != 10 || depth.Queued != 0 {
			t.Errorf("depth %+v, %v; want 10 parked, 0 queued", depth, err)
		}
		lanes, err := parking.List(t.Context(), c)
		if err != nil || len(lanes) != 1 || lanes[0].Updates != 10 || lanes[0].Lane != "42:c:100" {
			t.Errorf("parked %+v, %v", lanes, err)
		}
		stop() // the next owner finds the lane parked
		stuck.Store(false)
		stop = queuetest.Start(t, c, attempt)
		queuetest.Publish(t, c, 31, 36)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n := len(j.Seen()); n != 24 {
			t.Errorf("%d handled before the lane's time, want 24", n)
		}
		if err := parking.Free(t.Context(), c, 0, "42:c:100"); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		stop()
		queuetest.InOrder(t, j.Seen(), 36)
		queuetest.NothingLeft(t, c)
	})
}

func TestParkedLaneIsFreedByTime(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := queuetest.Connect(t, s)
		defer c.Close(t.Context())
		var j queuetest.Journal
		began := time.Now()
		stop := queuetest.Start(t, c, j.ParkFor(func(*queue.Delivery) time.Duration {
			if time.Since(began) < 20*time.Second {
				return 30 * time.Second
			}
			return 0
		}))
		queuetest.Publish(t, c, 1, 9)
		time.Sleep(29 * time.Second)
		if n := len(j.Seen()); n != 0 {
			t.Errorf("%d handled before their time", n)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		stop()
		queuetest.InOrder(t, j.Seen(), 9)
	})
}

// It waits where it is.
func TestParkThatCannotBeWrittenKeepsItsTime(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := queuetest.Connect(t, s)
		defer c.Close(t.Context())
		js := c.JetStream()
		st, err := js.Stream(t.Context(), broker.Names{}.Parked())
		if err != nil {
			t.Fatal(err)
		}
		cfg := st.CachedInfo().Config
		cfg.MaxBytes = 1
		if _, err := js.UpdateStream(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		var runs atomic.Int64
		stop := queuetest.Start(t, c, func(d *queue.Delivery) queue.Attempt {
			return func(ctx context.Context) queue.Next {
				runs.Add(1)
				return queue.Next{Again: time.Minute, Park: true}
			}
		})
		queuetest.PublishTo(t, c, 100, 3)
		time.Sleep(59 * time.Second)
		synctest.Wait()
		if runs.Load() > 1 {
			t.Errorf("the attempt asked to wait a minute and was run %d times in it", runs.Load())
		}
		stop()
	})
}

func TestUnreadableParkedUpdateHoldsUpNoOther(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := queuetest.Connect(t, s)
		defer c.Close(t.Context())
		if _, err := c.JetStream().Publish(t.Context(), "parked.0.42.c:7", []byte("x")); err != nil {
			t.Fatal(err)
		}
		var j queuetest.Journal
		stop := queuetest.Start(t, c, j.Attempt)
		queuetest.PublishTo(t, c, 7, queuetest.Flood(600)...) // more than two windows
		queuetest.PublishTo(t, c, 100, 1)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		stop()
		if want := []int64{1}; !slices.Equal(j.Seen(), want) {
			t.Errorf("seen %v, want %v", j.Seen(), want)
		}
	})
}

// A resync drops the job that empties a parked lane, and nothing else would wake the lane.
func TestParkedLaneIsWokenAfterAResynchronisation(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := queuetest.Connect(t, s)
		defer c.Close(t.Context())
		impatient := queuetest.Topology()
		impatient.AckWait = 8 * time.Second
		if err := c.EnsureConsumers(t.Context(), impatient); err != nil {
			t.Fatal(err)
		}
		var j queuetest.Journal
		began := time.Now()
		_, reg := queuetest.Run(t.Context(), t, c, func(d *queue.Delivery) queue.Attempt {
			return func(ctx context.Context) queue.Next {
				if time.Since(began) < 4*time.Second {
					return queue.Next{Again: 5 * time.Second, Park: true}
				}
				return j.Attempt(d)(ctx)
			}
		})
		queuetest.Publish(t, c, 3, 3)
		time.Sleep(time.Second)
		limitParked(t, c, 1) // the next copy cannot be written, and waits at the head of its lane
		queuetest.Publish(t, c, 6, 6)
		time.Sleep(12 * time.Second)
		if queuetest.Resets(t, reg, "redelivery") == 0 {
			t.Error("nothing was resynchronised: the test tests nothing")
		}
		limitParked(t, c, -1)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		queuetest.InOrder(t, j.Seen(), 2)
	})
}

func limitParked(t *testing.T, c *broker.Conn, most int64) {
	t.Helper()
	s, err := c.JetStream().Stream(t.Context(), broker.Names{}.Parked())
	if err != nil {
		t.Fatal(err)
	}
	cfg := s.CachedInfo().Config
	cfg.MaxMsgs = most
	if _, err := c.JetStream().UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
}

func TestParkedFloodKeepsItsTime(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := queuetest.Connect(t, s)
		defer c.Close(t.Context())
		var runs atomic.Int64
		var times [99]time.Duration
		began := time.Now()
		stop := queuetest.Start(t, c, func(d *queue.Delivery) queue.Attempt {
			return func(ctx context.Context) queue.Next {
				if d.ID != 3 {
					t.Errorf("update %d passed", d.ID)
				}
				time.Sleep(time.Second)
				times[runs.Add(1)] = time.Since(began)
				return queue.Next{Again: time.Minute, Park: true}
			}
		})
		queuetest.PublishTo(t, c, 100, queuetest.Flood(300)...)
		time.Sleep(50 * time.Second)
		synctest.Wait()
		if runs.Load() > 1 {
			t.Errorf("run %d times within its minute: %v", runs.Load(), times[1:runs.Load()+1])
		}
		stop()
	})
}
