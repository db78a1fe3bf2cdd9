package turn_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/fsm/memstore"
	"github.com/chatlane/chatlane/internal/fsm/redisstore"
	"github.com/chatlane/chatlane/internal/fsm/redisstore/redistest"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/partition"
	"github.com/chatlane/chatlane/internal/queue/deadletter"
	"github.com/chatlane/chatlane/internal/telegram/api"
	"github.com/chatlane/chatlane/internal/turn"
)

// outage is a store that can be away, for some lanes or all, and counts what it is asked.
type outage struct {
	fsm.Store
	away  func(lane string) bool
	why   error // more than that
	asked atomic.Int64
}

func (o *outage) Open(ctx context.Context, k fsm.Keys, at fsm.Position) (*fsm.Session, error) {
	o.asked.Add(1)
	if o.away != nil && o.away(k.Lane) {
		return nil, errors.Join(fsm.ErrUnavailable, o.why)
	}
	return o.Store.Open(ctx, k, at)
}

type letterCount struct{ letters atomic.Int64 }

func (g *letterCount) Put(context.Context, deadletter.Letter) error { g.letters.Add(1); return nil }

func (g *letterCount) Has(context.Context, deadletter.Letter) (bool, error) { return false, nil }

// pausable is a runner over a store, with the lanes of a partition and no broker.
type pausable struct {
	t      testing.TB
	runner *turn.Runner
	lanes  *lane.Executor
	reg    *prometheus.Registry
	dead   letterCount
	ended  atomic.Int64 // updates
	parked atomic.Int64
	again  atomic.Int64 // turns after the first attempt at their update
}

func newPausable(tb testing.TB, store fsm.Store, add ...func(*bot.Router)) *pausable {
	tb.Helper()
	parsed, err := api.ParseToken(token)
	if err != nil {
		tb.Fatal(err)
	}
	r := &pausable{t: tb, lanes: lane.NewExecutor(lane.NewSlots(64)), reg: prometheus.NewRegistry()}
	router := r.counting()
	for _, add := range add {
		add(router)
	}
	client := api.NewClient(api.Config{BaseURL: "http://127.0.0.1:1"}, nil, nil)
	tb.Cleanup(client.Close)
	r.runner = turn.New(turn.Config{}, turn.Deps{
		Program: compiled(tb, router), Store: store, Client: client, Dead: &r.dead, Bots: map[int64]turn.Identity{botID: {Token: parsed}},
	}, slog.New(slog.DiscardHandler), r.reg)
	tb.Cleanup(r.lanes.Drain)
	return r
}

// counting counts texts, and turns after the first attempt.
func (r *pausable) counting() *bot.Router {
	router := bot.New("counting")
	router.Message(func(_ context.Context, t *bot.Turn) error {
		if t.Attempt() != 1 {
			r.again.Add(1)
		}
		_, err := bot.UpdateData(t, func(n *int) { *n++ })
		return err
	})
	return router
}

// deliver puts the nth update of a chat into its lane.
func (r *pausable) deliver(p partition.ID, chat, n int) {
	r.t.Helper()
	d := text(int64(chat), int64(chat*1000+n))
	d.Partition = p
	run := r.runner.Start(d)
	err := r.lanes.Submit(r.t.Context(), d.Lane, func(ctx context.Context) time.Duration {
		next := run(ctx)
		switch {
		case next.Park:
			r.parked.Add(1)
		case next.Again == 0:
			r.ended.Add(1)
		}
		return next.Again
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *pausable) await(n int64, within time.Duration) time.Duration {
	r.t.Helper()
	began := time.Now()
	for r.ended.Load() < n {
		if time.Since(began) > within {
			r.t.Fatalf("%d of %d updates ended within %v", r.ended.Load(), n, within)
		}
		pause := time.NewTimer(2 * time.Millisecond)
		<-pause.C
	}
	return time.Since(began)
}

func (r *pausable) paused() float64 {
	r.t.Helper()
	families, err := r.reg.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "chatlane_partitions_paused" {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	r.t.Fatal("no such metric")
	return 0
}

func (r *pausable) blameless() {
	r.t.Helper()
	if r.dead.letters.Load()+r.parked.Load()+r.again.Load() != 0 {
		r.t.Errorf("%d dead letters, %d parked, %d attempts used up", r.dead.letters.Load(), r.parked.Load(), r.again.Load())
	}
}

func TestPausedPartitionTriesTheStoreOneTurnAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const chats = 100
		var down atomic.Bool
		down.Store(true)
		store := &outage{Store: memstore.New(memstore.Config{}), away: func(string) bool { return down.Load() }}
		r := newPausable(t, store)
		for chat := range chats {
			r.deliver(1, chat+1, 1)
		}
		time.Sleep(5 * time.Second) // all have failed, and the partition is paused
		before := store.asked.Load()
		time.Sleep(time.Minute)
		if n := r.paused(); n != 1 {
			t.Errorf("%v partitions paused", n)
		}
		asked := store.asked.Load() - before
		down.Store(false)
		took := r.await(chats, time.Minute)
		t.Logf("%d lanes: %d questions until paused, %d in a minute's pause; all answered %v after the store was back", chats, before, asked, took)
		if asked < 30 || asked > 150 {
			t.Errorf("the store was asked %d times in a minute", asked)
		}
		if took > 2*time.Second {
			t.Errorf("recovery took %v", took)
		}
		r.blameless()
	})
}

func TestLaneWhoseStoreAloneFailsDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := map[string]bool{"42:c:1": true, "42:c:2": true, "42:c:3": true, "42:c:4": true}
		store := &outage{Store: memstore.New(memstore.Config{}), away: func(k string) bool { return bad[k] }}
		r := newPausable(t, store)
		slowest := time.Duration(0)
		for n := range 300 {
			for chat := range 10 {
				r.deliver(1, chat+1, n+1)
			}
			slowest = max(slowest, r.await(int64(6*(n+1)), time.Second))
			time.Sleep(200 * time.Millisecond)
		}
		if slowest > 10*time.Millisecond {
			t.Errorf("a healthy lane waited %v for one that fails", slowest)
		}
		r.blameless()
	})
}

func TestRareHealthyLaneIsHeldUpForAProbeAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &outage{Store: memstore.New(memstore.Config{}), away: func(k string) bool { return k != "42:c:100" }}
		r := newPausable(t, store)
		for chat := range 20 {
			r.deliver(1, chat+1, 1)
		}
		slowest := time.Duration(0)
		for n := range 100 {
			time.Sleep(3 * time.Second)
			r.deliver(1, 100, n+1)
			slowest = max(slowest, r.await(int64(n+1), time.Minute))
		}
		t.Logf("slowest: %v", slowest)
		if slowest > time.Second {
			t.Errorf("a healthy lane waited %v", slowest)
		}
		r.blameless()
	})
}

// Such lanes wait for a worker that can read them.
func TestUnreadableRecordsPauseNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &outage{Store: memstore.New(memstore.Config{}), away: func(k string) bool { return k != "42:c:100" }, why: fsm.ErrUnreadable}
		r := newPausable(t, store)
		for chat := range 20 {
			r.deliver(1, chat+1, 1)
		}
		time.Sleep(time.Minute)
		if n := r.paused(); n != 0 {
			t.Errorf("%v partitions paused", n)
		}
		r.deliver(1, 100, 1)
		if took := r.await(1, time.Minute); took > 10*time.Millisecond {
			t.Errorf("a lane waited %v for others' records", took)
		}
		r.blameless()
	})
}

func TestTurnsGoOnSoonAfterRedisIsBack(t *testing.T) {
	const chats = 200
	server := redistest.Start(t)
	client, err := redisstore.Dial(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	store := &outage{Store: redisstore.New(client, redisstore.Config{})}
	r := newPausable(t, store)
	server.Stop()
	for chat := range chats {
		r.deliver(1, chat+1, 1)
	}
	pause := time.NewTimer(3 * time.Second)
	<-pause.C
	asked := store.asked.Load()
	if n := r.ended.Load(); n != 0 {
		t.Errorf("%d updates ended without a store", n)
	}
	server.Restart()
	took := r.await(chats, 20*time.Second)
	t.Logf("%d lanes asked %d times in 3 s without Redis; all were answered %v after it was back", chats, asked, took)
	if asked > 4*chats {
		t.Errorf("Redis was asked %d times while it was away", asked)
	}
	r.blameless()
}

// Other lanes wait for a probe, so it waits for nothing but the store.
func TestProbeDoesNotWaitForAnUrgentRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const chats = 20
		var down atomic.Bool
		down.Store(true)
		store := &outage{Store: memstore.New(memstore.Config{}), away: func(k string) bool { return down.Load() && !strings.Contains(k, "!u") }}
		r := newPausable(t, store, func(b *bot.Router) {
			b.Urgent(bot.Message, func(ctx context.Context, t *bot.Turn) error {
				if t.Chat() > chats {
					<-time.After(20 * time.Second)
				}
				return nil
			})
		})
		for chat := range chats {
			r.deliver(1, chat+1, 1)
		}
		time.Sleep(5 * time.Second) // the partition is paused
		r.deliver(1, chats+1, 1)    // a lane that has not failed is the next probe
		time.Sleep(time.Second)
		down.Store(false)
		if took := r.await(chats, time.Minute); took > 2*time.Second {
			t.Errorf("recovery took %v", took)
		}
		r.await(chats+1, time.Minute)
		r.blameless()
	})
}
