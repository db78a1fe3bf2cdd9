package queue_test

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/queue/embedded"
	"github.com/chatlane/chatlane/internal/queue/natstest"
)

// A lane that cannot be parked waits where it is: its turn does not run before its time.
func TestParkThatCannotBeWrittenKeepsItsTime(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := connect(t, s)
		defer c.Close(t.Context())
		js := c.JetStream()
		st, err := js.Stream(t.Context(), queue.StreamParked)
		if err != nil {
			t.Fatal(err)
		}
		cfg := st.CachedInfo().Config
		cfg.MaxBytes = 1
		if _, err := js.UpdateStream(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		var runs atomic.Int64
		stop := start(t, c, func(d *queue.Delivery) queue.Turn {
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

// A former owner that goes on with its flood behind a sweep is refused: its copies would
// stand before what the present owner parks next.
func TestFormerOwnersFloodEndsWithASweep(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := connect(t, s)
		former := connect(t, s)
		defer c.Close(t.Context())
		defer former.Close(t.Context())
		var cursor uint64
		var j journal
		late, times := false, 0
		stop := start(t, c, func(d *queue.Delivery) queue.Turn {
			return func(ctx context.Context) queue.Next {
				if d.Seq <= cursor { // as the lane's cursor does
					_ = d.Ack(ctx)
					return queue.Next{}
				}
				if d.ID == 3 && !late {
					late = true
					formerCopies(t, former, 3, 6) // contiguous, the oldest first
					sub, err := former.Raw().Subscribe("parked.0.42.c:100", func(m *nats.Msg) {
						if m.Header["Chatlane-Sequence"][0] == "1" {
							times++
						}
						if m.Header["Chatlane-Sequence"][0] == "1" && times == 2 { // the new owner has swept and parked 3
							formerCopies(t, former, 9, 12) // the former goes on where it was
						}
					})
					if err != nil {
						t.Error(err)
					}
					_ = former.Raw().Flush()
					_ = sub
					return queue.Next{Again: 10 * time.Second, Park: true}
				}
				cursor = d.Seq
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
	})
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
	w, err := queue.Connect(t.Context(), queue.ConnConfig{Options: []nats.Option{nats.InProcessServer(slowServer{s})}})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close(context.Background())
	seen := make(chan struct{}, 1)
	began := time.Now()
	stop := start(t, w, func(d *queue.Delivery) queue.Turn {
		return func(ctx context.Context) queue.Next {
			seen <- struct{}{}
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
		stop := start(t, c, func(d *queue.Delivery) queue.Turn {
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
		publishTo(t, c, 100, 3)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		stop()
		inOrder(t, j.seen(), 1)
	})
}
