package queue_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/broker/natstest"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/partition"
	"github.com/chatlane/chatlane/internal/queue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const pinTTL = 2 * time.Second

var one = broker.Topology{Partitions: 1, PinTTL: pinTTL}

// connect gives a connection with streams and consumers in place.
func connect(t *testing.T, s *embedded.Server) *broker.Conn {
	t.Helper()
	c, err := broker.Connect(t.Context(), broker.Config{Options: []nats.Option{s.Option()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	if err := c.Ensure(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	if err := c.EnsureConsumers(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	return c
}

func publish(t *testing.T, c *broker.Conn, from, to int) {
	t.Helper()
	p := queue.NewPublisher(c, 1, nil)
	for i := from; i <= to; i++ {
		u := queue.Update{ID: int64(i), Type: "message", Lane: lane.Key(fmt.Sprintf("42:c:%d", 100+i%3)), Body: []byte(`{}`), Received: time.Now()}
		u.Scope = lane.Scope{Bot: 42, Kind: lane.KindChat, Chat: int64(100 + i%3)}
		if err := p.Publish(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
}

// journal notes what was handled, in order. Like a lane's cursor it skips what is
// done: an acknowledgement that meets a reset on its way is lost, and the update comes again.
type journal struct {
	mu  sync.Mutex
	ids []int64
}

func (j *journal) note(id int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !slices.Contains(j.ids, id) {
		j.ids = append(j.ids, id)
	}
}

func (j *journal) seen() []int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]int64(nil), j.ids...)
}

// inOrder tells that each lane's updates came in order, without repetition.
func inOrder(t *testing.T, ids []int64, total int) {
	t.Helper()
	last := map[int64]int64{}
	for _, id := range ids {
		if last[id%3] >= id {
			t.Errorf("lane %d: %d after %d (all: %v)", id%3, id, last[id%3], ids)
		}
		last[id%3] = id
	}
	if len(ids) != total {
		t.Errorf("handled %d updates, want %d: %v", len(ids), total, ids)
	}
}

func (j *journal) turn(d *queue.Delivery) queue.Attempt {
	return func(ctx context.Context) queue.Next {
		j.note(d.ID)
		_ = d.Ack(ctx)
		return queue.Next{}
	}
}

// start runs an owner of partition 0; stop hands over and waits.
func start(t *testing.T, c *broker.Conn, turn func(*queue.Delivery) queue.Attempt) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	o := queue.NewOwner(c, queue.OwnerConfig{PinTTL: pinTTL}, lane.NewSlots(64), nil)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := o.Run(ctx, t.Context(), partition.ID(0), turn); err != nil {
			t.Error(err)
		}
	}()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(stop)
	return stop
}

func TestOwnerDeliversEachUpdateOnceInOrder(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := connect(t, s)
		var j journal
		stop := start(t, c, j.turn)
		publish(t, c, 1, 50)
		time.Sleep(time.Second)
		synctest.Wait()
		stop()
		inOrder(t, j.seen(), 50)
		c.Close(t.Context())
	})
}

func TestStandbyFinishesWhatADeadOwnerHeldInOrder(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c, dead := connect(t, s), connect(t, s)
		var j journal
		ctx, kill := context.WithCancel(t.Context())
		defer kill()
		first := start(t, dead, func(d *queue.Delivery) queue.Attempt {
			return func(context.Context) queue.Next {
				if d.ID <= 6 {
					j.note(d.ID)
					_ = d.Ack(ctx)
					return queue.Next{}
				}
				<-ctx.Done() // holds the rest unacknowledged
				return queue.Next{}
			}
		})
		publish(t, c, 1, 20)
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		stop := start(t, c, j.turn)
		time.Sleep(time.Second)
		dead.Close(t.Context())
		died := time.Now()
		for len(j.seen()) < 20 && time.Since(died) < 10*time.Second {
			time.Sleep(10 * time.Millisecond)
		}
		if took := time.Since(died); took > 3*time.Second {
			t.Errorf("failover took %v, want under 3 s", took)
		} else {
			t.Logf("failover took %v", took)
		}
		kill()
		first()
		stop()
		inOrder(t, j.seen(), 20)
		c.Close(t.Context())
	})
}

func TestHandOverGivesThePartitionAtOnceInOrder(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		a, b := connect(t, s), connect(t, s)
		var j journal
		slow := func(d *queue.Delivery) queue.Attempt {
			return func(ctx context.Context) queue.Next {
				time.Sleep(50 * time.Millisecond)
				j.note(d.ID)
				_ = d.Ack(ctx)
				return queue.Next{}
			}
		}
		stopA := start(t, a, slow)
		publish(t, a, 1, 3)
		time.Sleep(time.Second)
		stopB := start(t, b, j.turn)
		time.Sleep(time.Second)
		publish(t, a, 4, 60)
		time.Sleep(120 * time.Millisecond)
		before := time.Now()
		stopA()
		t.Logf("hand-over took %v after %d updates", time.Since(before), len(j.seen()))
		if took := time.Since(before); took > 200*time.Millisecond {
			t.Errorf("hand-over took %v, want the running turn's 50 ms and little more", took)
		}
		time.Sleep(500 * time.Millisecond)
		synctest.Wait()
		stopB()
		inOrder(t, j.seen(), 60)
		a.Close(t.Context())
		b.Close(t.Context())
	})
}
