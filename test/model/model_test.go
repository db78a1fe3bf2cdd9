// Package model runs workers through random faults in virtual time, and compares the result
// with a reference model.
package model

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/broker/natstest"
	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/fsm/kvstore"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/partition"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/queue/deadletter"
)

var (
	seeds = flag.Int("seeds", 6, "number of random runs")
	seed  = flag.Uint64("seed", 0, "run this seed alone; a failure names it")
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	botID      = 42
	pinTTL     = 2 * time.Second
	partitions = 2
	chats      = 6
	workers    = 3
	lastLines  = 400                    // number of log lines that a failure shows
	window     = 100 * time.Millisecond // in which the stream itself drops a repetition
)

func TestLawsHoldThroughRandomLives(t *testing.T) {
	first, n := uint64(1), *seeds
	if *seed != 0 {
		first, n = *seed, 1
	}
	for i := range uint64(n) {
		t.Run(fmt.Sprintf("seed=%d", first+i), func(t *testing.T) {
			natstest.Bubble(t, func(t *testing.T, s *embedded.Server) { live(t, s, first+i) })
		})
	}
}

// life is one random run: its processes, and the model beside them.
type life struct {
	*world
	t    *testing.T
	s    *embedded.Server
	conn *broker.Conn
	pub  *queue.Publisher

	procs []*process
	born  int
	away  sync.WaitGroup // faults under way
}

func live(t *testing.T, s *embedded.Server, seed uint64) {
	l := &life{world: newWorld(t, rand.New(rand.NewPCG(seed, 7))), t: t, s: s}
	l.open()
	defer l.conn.Close(context.Background())
	for range workers {
		l.spawn()
	}
	defer func() {
		for _, p := range l.procs {
			p.stop()
		}
	}()
	began := time.Now()
	for time.Since(began) < 30*time.Second {
		l.act()
		time.Sleep(l.upTo(800 * time.Millisecond))
	}
	l.away.Wait()
	if !l.settled() {
		depth, err := l.conn.Depth(t.Context())
		t.Errorf("not everything was finished: %+v, %v", depth, err)
	}
	l.check(l.effects(), l.dead())
	if t.Failed() {
		t.Logf("the last of what happened:\n%s", bytes.Join(l.log[max(0, len(l.log)-lastLines):], nil))
	}
	t.Logf("%d updates, %d calls, %d repetitions excused, %d workers", l.next, len(l.sent), l.excused, l.born)
}

func (l *life) open() {
	var err error
	if l.conn, err = broker.Connect(l.t.Context(), broker.Config{Options: []nats.Option{l.s.Option()}}); err != nil {
		l.t.Fatal(err)
	}
	topology := broker.Topology{Partitions: partitions, PinTTL: pinTTL, Window: 16}
	if err := l.conn.Ensure(l.t.Context(), topology); err != nil {
		l.t.Fatal(err)
	}
	if err := l.conn.EnsureConsumers(l.t.Context(), topology); err != nil {
		l.t.Fatal(err)
	}
	// Telegram may repeat an update after the stream's own window. The window is so short here
	// that the lane's record of recent ids has to recognise the repetition.
	stream, err := l.conn.JetStream().Stream(l.t.Context(), broker.Names{}.Updates())
	if err != nil {
		l.t.Fatal(err)
	}
	cfg := stream.CachedInfo().Config
	cfg.Duplicates = window
	if _, err := l.conn.JetStream().UpdateStream(l.t.Context(), cfg); err != nil {
		l.t.Fatal(err)
	}
	l.pub = queue.NewPublisher(l.conn, partitions, nil)
}

func (l *life) spawn() {
	l.born++
	p, err := startProcess(l.s, l.world, fmt.Sprintf("worker %d", l.born))
	if err != nil {
		l.t.Fatal(err)
	}
	l.procs = append(l.procs, p)
}

// note writes a fault into the log of the processes.
func (l *life) note(format string, args ...any) {
	_, _ = fmt.Fprintf(l.world, "time=%s %s\n", time.Now().Format(time.RFC3339Nano), fmt.Sprintf(format, args...))
}

// act publishes updates or causes one fault, at random.
func (l *life) act() {
	i, long := l.roll(len(l.procs)), time.Second+l.upTo(6*time.Second)
	p := l.procs[i]
	switch n := l.roll(40); {
	case n < 24:
		l.publish(1 + l.roll(8))
	case n < 26:
		l.note("%s killed", p.name)
		l.procs = append(l.procs[:i:i], l.procs[i+1:]...)
		l.away.Go(p.kill)
		l.spawn()
	case n < 29:
		l.note("%s frozen for %v", p.name, long)
		l.away.Go(func() { p.freeze(long) })
	case n < 32:
		l.note("%s hands over", p.name)
		l.procs = append(l.procs[:i:i], l.procs[i+1:]...)
		l.away.Go(p.stop)
		l.spawn()
	case n < 34:
		l.note("store away for %v", long)
		for _, p := range l.procs {
			l.away.Go(func() { p.losesStore(long) })
		}
	case n < 36:
		l.note("%s without store for %v", p.name, long)
		l.away.Go(func() { p.losesStore(long) })
	default:
		l.note("deliveries of partition %d are lost", i%partitions)
		l.steal(partition.ID(i%partitions), 1+l.roll(4))
	}
}

// publish publishes n more updates, some of them twice.
func (l *life) publish(n int) {
	for range n {
		chat := int64(100 + l.roll(chats))
		u := l.update(l.accept(chat), chat)
		if err := l.pub.Publish(l.t.Context(), u); err != nil {
			l.t.Fatal(err)
		}
		if l.roll(10) == 0 {
			l.away.Go(func() {
				time.Sleep(2*window + l.upTo(3*time.Second))
				if err := l.pub.Publish(l.t.Context(), u); err != nil {
					l.t.Error(err)
				}
			})
		}
	}
}

func (l *life) update(id, chat int64) queue.Update {
	body, err := json.Marshal(map[string]any{"update_id": id, "message": map[string]any{
		"message_id": id, "date": 1, "text": "t",
		"chat": map[string]any{"id": chat, "type": "private"},
		"from": map[string]any{"id": 7, "is_bot": false, "first_name": "Ann"},
	}})
	if err != nil {
		l.t.Fatal(err)
	}
	s := scope(chat)
	return queue.Update{ID: id, Type: "message", Scope: s, Lane: lane.ByChat.Key(s), Received: time.Now(), Body: body}
}

// steal loses deliveries of a partition, as the death of a stream's leader does: the broker
// has sent them, and no worker receives them.
func (l *life) steal(p partition.ID, n int) {
	c, err := l.conn.JetStream().Consumer(l.t.Context(), broker.Names{}.Updates(), fmt.Sprintf("p-%04d", p))
	if err != nil {
		l.t.Fatal(err)
	}
	groups := c.CachedInfo().PriorityGroups
	if len(groups) == 0 || groups[0].PinnedClientID == "" {
		return
	}
	body := fmt.Sprintf(`{"batch":%d,"expires":%d,"group":%q,"id":%q}`, n, 400*time.Millisecond, groups[0].Group, groups[0].PinnedClientID)
	nc := l.conn.JetStream().Conn()
	inbox := nats.NewInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		l.t.Fatal(err)
	}
	subject := "$JS.API.CONSUMER.MSG.NEXT." + broker.Names{}.Updates() + "." + c.CachedInfo().Name
	if err := nc.PublishRequest(subject, inbox, []byte(body)); err != nil {
		l.t.Fatal(err)
	}
	l.away.Go(func() { time.Sleep(time.Second); _ = sub.Unsubscribe() })
}

// settled waits until nothing is queued or parked; the workers get no help.
func (l *life) settled() bool {
	for range 600 {
		depth, err := l.conn.Depth(l.t.Context())
		if err == nil && depth.Queued+depth.Parked == 0 {
			return true
		}
		time.Sleep(time.Second)
	}
	return false
}

// effects reads from each lane's state which updates took effect.
func (l *life) effects() map[int64][]int64 {
	js, err := jetstream.New(l.conn.JetStream().Conn())
	if err != nil {
		l.t.Fatal(err)
	}
	store, err := kvstore.Open(l.t.Context(), js, kvstore.Config{})
	if err != nil {
		l.t.Fatal(err)
	}
	out := map[int64][]int64{}
	for chat := int64(100); chat < 100+chats; chat++ {
		s := scope(chat)
		state, home := fsm.UserInChat.Key(s)
		r, err := store.Peek(l.t.Context(), fsm.Keys{Lane: string(lane.ByChat.Key(s)), Home: s.Home(), State: state, StateHome: home})
		if err != nil {
			l.t.Fatal(err)
		}
		var done tally
		if len(r.Data) > 0 {
			if err := json.Unmarshal(r.Data, &done); err != nil {
				l.t.Fatal(err)
			}
		}
		out[chat] = done.Done
	}
	return out
}

func (l *life) dead() []deadletter.Letter {
	var all []deadletter.Letter
	for d, err := range deadletter.New(l.conn).All(l.t.Context(), deadletter.Filter{}) {
		if err != nil {
			l.t.Fatal(err)
		}
		all = append(all, d)
	}
	return all
}
