package queue_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/broker/natstest"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/queue"
)

// A lane that cannot be parked waits where it is: its turn does not run before its time.
func TestParkThatCannotBeWrittenKeepsItsTime(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := connect(t, s)
		defer c.Close(t.Context())
		js := c.JetStream()
		st, err := js.Stream(t.Context(), broker.StreamParked)
		if err != nil {
			t.Fatal(err)
		}
		cfg := st.CachedInfo().Config
		cfg.MaxBytes = 1
		if _, err := js.UpdateStream(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		var runs atomic.Int64
		stop := start(t, c, func(d *queue.Delivery) queue.Attempt {
			return func(ctx context.Context) queue.Next {
				runs.Add(1)
				return queue.Next{Again: time.Minute, Park: true}
			}
		})
		publishTo(t, c, 100, 3)
		time.Sleep(59 * time.Second)
		synctest.Wait()
		if runs.Load() > 1 {
			t.Errorf("the turn asked to wait a minute and was run %d times in it", runs.Load())
		}
		stop()
	})
}

// An owner that moves a flood aside while its successor sweeps, and does not know yet that
// it is owner no more, stops with the next copy.
func TestFloodStopsWhereItsCopiesAreSwept(t *testing.T) {
	const all = 256*3/4 + 1 // the last one makes the window crowded
	for range 20 {
		written := 0
		natstest.Bubble(t, func(t *testing.T, s *embedded.Server) { written = sweepInto(t, s, 0, all) })
		if written < all {
			return
		}
	}
	t.Error("the sweep came too late each time")
}

// ... also when it moves aside what came since it did so first.
func TestSecondFloodStopsWhereItsCopiesAreSwept(t *testing.T) {
	const all = 256*3/4 + 1
	for range 20 {
		written := 0
		natstest.Bubble(t, func(t *testing.T, s *embedded.Server) { written = sweepInto(t, s, all, all) })
		if written < all {
			return
		}
	}
	t.Error("the sweep came too late each time")
}

// sweepInto sweeps while an owner moves a flood aside, a second one if there is a first, and
// tells how much of it had been written in all.
func sweepInto(t *testing.T, s *embedded.Server, first, updates int) (written int) {
	t.Helper()
	c, successor := connect(t, s), connect(t, s)
	defer c.Close(t.Context())
	defer successor.Close(t.Context())
	parked, err := successor.JetStream().Stream(t.Context(), broker.StreamParked)
	if err != nil {
		t.Fatal(err)
	}
	work, end := context.WithCancel(t.Context())
	stop, _ := run(work, t, c, func(*queue.Delivery) queue.Attempt {
		return func(ctx context.Context) queue.Next { <-ctx.Done(); return queue.Next{} } // the lane's head
	})
	publishTo(t, c, 100, flood(first)...)
	time.Sleep(pinTTL / 20)
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
	publishTo(t, c, 100, flood(first + updates)[first:]...)
	time.Sleep(pinTTL / 20)
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

// Who hears that the partition is another's copies nothing any more: what it has copied
// may have been swept, and a later update would stand in the place of an older one.
func TestFormerOwnerCopiesNoMore(t *testing.T) {
	s := natstest.Start(t)
	c := connect(t, s)
	var ds []*queue.Delivery
	for id := range int64(3) {
		d := &queue.Delivery{Update: queue.Update{ID: id + 1, Type: "message", Lane: "42:c:100", Body: []byte(`{}`), Received: time.Now()}, Seq: uint64(id + 1)}
		d.Scope = lane.Scope{Bot: 42, Kind: lane.KindChat, Chat: 100}
		ds = append(ds, d)
	}
	queue.PutAsideAll(t.Context(), c, ds...)
	parked, err := c.JetStream().Stream(t.Context(), broker.StreamParked)
	if err != nil {
		t.Fatal(err)
	}
	if n := parked.CachedInfo().State.Msgs; n != 1 {
		t.Errorf("%d copies are written, want the one after which it asked", n)
	}
}

// slow is a connection whose writes arrive a millisecond later.
type slow struct {
	net.Conn
	ch chan pkt
}
type pkt struct {
	at time.Time
	b  []byte
}

func (s *slow) Write(b []byte) (int, error) {
	s.ch <- pkt{time.Now().Add(time.Millisecond), append([]byte(nil), b...)}
	return len(b), nil
}

type slowServer struct{ s *embedded.Server }

func (p slowServer) InProcessConn() (net.Conn, error) {
	c, err := p.s.InProcessConn()
	if err != nil {
		return nil, err
	}
	s := &slow{c, make(chan pkt, 10000)}
	go func() {
		for p := range s.ch {
			time.Sleep(time.Until(p.at))
			if _, err := c.Write(p.b); err != nil {
				return
			}
		}
	}()
	return s, nil
}

// However many lanes are parked, their partition is taken over at once: whoever wins the
// pin only lists them. In real time, at a broker that is 1 ms away.
func TestManyParkedLanesHoldUpNoTakeover(t *testing.T) {
	const n = 1500
	s := natstest.Start(t)
	c := connect(t, s)
	for i := range n {
		d := &queue.Delivery{Update: queue.Update{ID: int64(i + 1), Type: "message", Lane: lane.Key(fmt.Sprintf("42:c:%d", 1000+i)), Body: []byte(`{}`), Received: time.Now()}, Seq: 1}
		d.Scope = lane.Scope{Bot: 42, Kind: lane.KindChat, Chat: int64(1000 + i)}
		queue.PutAsideFor(t.Context(), c, d, time.Hour)
	}
	w, err := broker.Connect(t.Context(), broker.Config{Options: []nats.Option{nats.InProcessServer(slowServer{s})}})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close(context.Background())
	seen := make(chan struct{})
	see := sync.OnceFunc(func() { close(seen) })
	var early atomic.Int64
	began := time.Now()
	stop := start(t, w, func(d *queue.Delivery) queue.Attempt {
		return func(ctx context.Context) queue.Next {
			if d.Lane == "42:c:101" {
				see()
			} else if early.Add(1) == 1 {
				t.Errorf("lane %s is parked for an hour, and runs %v after it", d.Lane, time.Since(began))
			}
			_ = d.Ack(ctx)
			return queue.Next{}
		}
	})
	publish(t, c, 1, 1)
	select {
	case <-seen:
		t.Logf("an update beside %d parked lanes is handled after %v", n, time.Since(began))
	case <-time.After(20 * time.Second):
		t.Error("the partition is not taken over")
	}
	stop()
}

// A flood that is parked while it runs, and then has to wait, waits.
func TestParkedFloodKeepsItsTime(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := connect(t, s)
		defer c.Close(t.Context())
		var runs atomic.Int64
		var times [99]time.Duration
		began := time.Now()
		stop := start(t, c, func(d *queue.Delivery) queue.Attempt {
			return func(ctx context.Context) queue.Next {
				if d.ID != 3 {
					t.Errorf("update %d passed", d.ID)
				}
				time.Sleep(time.Second)
				times[runs.Add(1)] = time.Since(began)
				return queue.Next{Again: time.Minute, Park: true}
			}
		})
		publishTo(t, c, 100, flood(300)...)
		time.Sleep(50 * time.Second)
		synctest.Wait()
		if runs.Load() > 1 {
			t.Errorf("run %d times within its minute: %v", runs.Load(), times[1:runs.Load()+1])
		}
		stop()
	})
}

// ... also when its partition is handed over meanwhile, whether updates came behind what
// was moved aside or not.
func TestParkedFloodKeepsItsTimeThroughATakeover(t *testing.T) {
	for _, updates := range [][2]int{{256*3/4 + 1, 0}, {300, 0}, {1, 600}} { // at once, and later
		natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
			c := connect(t, s)
			defer c.Close(t.Context())
			began := time.Now()
			var runs []time.Duration // by one lane
			turn := func(d *queue.Delivery) queue.Attempt {
				return func(ctx context.Context) queue.Next {
					if d.ID != 3 {
						t.Errorf("update %d passed", d.ID)
					}
					time.Sleep(time.Second)
					runs = append(runs, time.Since(began).Round(time.Second))
					return queue.Next{Again: time.Minute, Park: true}
				}
			}
			stop := start(t, c, turn)
			publishTo(t, c, 100, flood(updates[0])...)
			time.Sleep(2 * time.Second)
			publishTo(t, c, 100, flood(updates[0] + updates[1])[updates[0]:]...)
			time.Sleep(18 * time.Second)
			stop()
			stop = start(t, c, turn)
			time.Sleep(70 * time.Second)
			synctest.Wait()
			stop()
			if want := []time.Duration{time.Second, 62 * time.Second}; !slices.Equal(runs, want) {
				t.Errorf("%v updates: run at %v, want %v", updates, runs, want)
			}
		})
	}
}

// When the update that waited is done, the others of its lane wait no more, also under the
// next owner.
func TestFreedLaneGoesOnThroughATakeover(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := connect(t, s)
		defer c.Close(t.Context())
		var j journal
		var well atomic.Bool
		turn := func(d *queue.Delivery) queue.Attempt {
			return func(ctx context.Context) queue.Next {
				if !well.Load() {
					return queue.Next{Again: time.Hour, Park: true}
				}
				time.Sleep(time.Second)
				j.note(d.ID)
				_ = d.Ack(ctx)
				return queue.Next{}
			}
		}
		stop := start(t, c, turn)
		publishTo(t, c, 100, flood(6)...)
		time.Sleep(time.Minute)
		well.Store(true)
		if err := queue.Free(t.Context(), c, 0, "42:c:100"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2500 * time.Millisecond)
		stop()
		if n := len(j.seen()); n == 0 || n == 6 {
			t.Fatalf("%d handled by the first owner: the test tests nothing", n)
		}
		stop = start(t, c, turn)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		stop()
		inOrder(t, j.seen(), 6)
	})
}

// What nobody can read in PARKED holds up its own lane alone.
func TestUnreadableParkedUpdateHoldsUpNoOther(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := connect(t, s)
		defer c.Close(t.Context())
		if _, err := c.JetStream().Publish(t.Context(), "parked.0.42.c:7", []byte("x")); err != nil {
			t.Fatal(err)
		}
		var j journal
		stop := start(t, c, j.turn)
		publishTo(t, c, 7, flood(600)...) // more than two windows
		publishTo(t, c, 100, 1)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		stop()
		if want := []int64{1}; !slices.Equal(j.seen(), want) {
			t.Errorf("seen %v, want %v", j.seen(), want)
		}
	})
}
