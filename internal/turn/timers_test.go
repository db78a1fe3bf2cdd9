package turn

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/fsm/memstore"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/queue/timer"
	"github.com/chatlane/chatlane/internal/telegram/api"
	"github.com/chatlane/chatlane/internal/telegram/update"
)

const (
	waiting bot.State = "order:waiting"
	paying  bot.State = "order:paying"
)

// alarms records requests to the broker in order.
type alarms struct {
	armed     []timer.Timer
	cancelled []timer.Timer
	onArm     func(timer.Timer) error
	onCancel  func()
}

func (a *alarms) Arm(_ context.Context, t timer.Timer) error {
	if a.onArm != nil {
		if err := a.onArm(t); err != nil {
			return err
		}
	}
	a.armed = append(a.armed, t)
	return nil
}

func (a *alarms) Cancel(t timer.Timer) error {
	if a.onCancel != nil {
		a.onCancel()
	}
	a.cancelled = append(a.cancelled, t)
	return nil
}

// bench is a runner of a small bot over a store that outlives it.
type bench struct {
	t      *testing.T
	cfg    Config
	store  *memstore.Store
	alarms *alarms
	runner *Runner
	reg    *prometheus.Registry
	seq    uint64
	fired  int // timeouts that the bot answered
	goesTo bot.State
}

func newBench(t *testing.T, cfg Config) *bench {
	t.Helper()
	b := &bench{t: t, cfg: cfg, store: memstore.New(memstore.Config{}), alarms: &alarms{}, goesTo: waiting}
	b.restart()
	return b
}

// restart is another worker with the same store.
func (b *bench) restart() {
	b.t.Helper()
	r := bot.New("r")
	r.OnTimeout(func(context.Context, *bot.Turn) error { b.fired++; return nil }, time.Minute, waiting, paying)
	r.Message(func(ctx context.Context, t *bot.Turn) error { return t.SetState(ctx, paying) }, bot.Text("pay"))
	r.Message(func(ctx context.Context, t *bot.Turn) error { return t.Clear(ctx) }, bot.Text("finish"))
	r.Message(func(context.Context, *bot.Turn) error { return nil }, bot.Text("chat"))
	r.Message(func(ctx context.Context, t *bot.Turn) error { return t.SetState(ctx, b.goesTo) })
	client := api.NewClient(api.Config{}, nil, prometheus.NewRegistry())
	b.t.Cleanup(client.Close)
	token, err := api.ParseToken("42:a-token-of-thirty-five-characters-x")
	if err != nil {
		b.t.Fatal(err)
	}
	program, err := r.Compile()
	if err != nil {
		b.t.Fatal(err)
	}
	b.reg = prometheus.NewRegistry()
	b.runner = New(b.cfg, Deps{
		Program: program, Store: b.store, Client: client, Timers: b.alarms, Bots: map[int64]Identity{42: {Token: token}},
	}, slog.New(slog.DiscardHandler), b.reg)
}

// says is the next update of a lane: a text of user 7 in a chat.
func (b *bench) says(chat int64, text string) *queue.Delivery {
	b.t.Helper()
	b.seq++
	body, err := json.Marshal(map[string]any{
		"update_id": b.seq,
		"message": map[string]any{
			"message_id": 1, "text": text, "chat": map[string]any{"id": chat, "type": "group"}, "from": map[string]any{"id": 7},
		},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	e, err := update.Peek(42, body)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.delivery(queue.Update{ID: int64(b.seq), Type: e.Type, Scope: e.Scope, Lane: b.cfg.LaneKey.Key(e.Scope), Body: body})
}

// fires is an armed timer that has come into its lane.
func (b *bench) fires(t timer.Timer) *queue.Delivery {
	b.seq++
	return b.delivery(t.Update)
}

func (b *bench) delivery(u queue.Update) *queue.Delivery {
	return &queue.Delivery{Update: u, Seq: b.seq, Stream: 1, Stored: time.Now()}
}

func (b *bench) run(d *queue.Delivery) queue.Next { return b.runner.Start(d)(b.t.Context()) }

// step is the stored state of the conversation.
func (b *bench) step(d *queue.Delivery) bot.State {
	b.t.Helper()
	r, err := b.store.Peek(b.t.Context(), b.runner.keys(d))
	if err != nil {
		b.t.Fatal(err)
	}
	return bot.State(r.State)
}

func (b *bench) late() float64 {
	b.t.Helper()
	families, err := b.reg.Gather()
	if err != nil {
		b.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "chatlane_timers_stale_total" {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	return -1
}

func TestTimerIsArmedBeforeTheCommitAndCancelledAfterIt(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{})
	d := b.says(-5, "hello")
	b.alarms.onArm = func(timer.Timer) error {
		if at := b.step(d); at != bot.None {
			t.Errorf("armed when the state was kept already: %q", at)
		}
		return nil
	}
	b.run(d)
	if at := b.step(d); at != waiting || len(b.alarms.armed) != 1 {
		t.Fatalf("stands at %q with %d timers", at, len(b.alarms.armed))
	}
	armed := b.alarms.armed[0]
	want := timer.Timer{
		Conversation: "42:c:-5:u:7", Token: armed.Token, After: time.Minute,
		Update: queue.Update{
			Type: "timeout", Lane: d.Lane, Scope: d.Scope, Body: bot.TimeoutEvent{State: waiting, Token: armed.Token}.Encode(),
		},
	}
	if diff := cmp.Diff(want, armed); diff != "" {
		t.Errorf("armed (-want +got):\n%s", diff)
	}
	end := b.says(-5, "finish")
	b.alarms.onCancel = func() {
		if at := b.step(end); at != bot.None {
			t.Errorf("cancelled while %q was still kept", at)
		}
	}
	b.run(end)
	if len(b.alarms.cancelled) != 1 || b.alarms.cancelled[0].Token != armed.Token {
		t.Errorf("cancelled %+v, want the timer %q", b.alarms.cancelled, armed.Token)
	}
	if len(b.alarms.armed) != 1 {
		t.Errorf("%d timers were armed, want 1", len(b.alarms.armed))
	}
}

func TestTurnsWithoutTimersMakeNoBrokerRequests(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{})
	for range 10 {
		b.run(b.says(-5, "chat"))
		b.run(b.says(-5, "finish"))
	}
	b.run(b.says(-5, "hello"))
	armed := len(b.alarms.armed)
	for range 10 {
		b.run(b.says(-5, "chat")) // in a state that has a timer
	}
	if n := len(b.alarms.armed) - armed + len(b.alarms.cancelled); armed != 1 || n != 0 {
		t.Errorf("%d requests by turns that neither arm nor cancel; %d by the one that arms", n, armed)
	}
}

func TestTurnWaitsForATimerThatCannotBeStored(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{MaxAttempts: 1})
	d := b.says(-5, "hello")
	away := true
	b.alarms.onArm = func(timer.Timer) error {
		if away {
			return fmt.Errorf("broker is away: %w", timer.ErrNotArmed)
		}
		return nil
	}
	turn := b.runner.Start(d)
	for range 5 { // more often than a turn may fail
		if next := turn(t.Context()); next.Again == 0 || b.step(d) != bot.None {
			t.Fatalf("kept %q and goes on %+v without its timer", b.step(d), next)
		}
	}
	away = false
	if next := turn(t.Context()); next.Again != 0 || b.step(d) != waiting {
		t.Errorf("kept %q, next %+v", b.step(d), next)
	}
}

// Another worker repeats the turn.
func TestWorkerKilledBetweenArmAndCommit(t *testing.T) {
	t.Parallel()
	for _, again := range []bot.State{waiting, bot.None} {
		t.Run("goes to "+string(again), func(t *testing.T) {
			t.Parallel()
			b := newBench(t, Config{})
			d := b.says(-5, "hello")
			var orphan timer.Timer
			b.alarms.onArm = func(t timer.Timer) error { orphan = t; runtime.Goexit(); return nil }
			died := make(chan struct{})
			go func() { defer close(died); b.run(d) }()
			<-died
			if at := b.step(d); at != bot.None || orphan.Token == "" {
				t.Fatalf("kept %q: the test tests nothing", at)
			}
			b.alarms.onArm, b.goesTo = nil, again
			b.restart()
			b.run(d)
			b.run(b.fires(orphan))
			for _, armed := range b.alarms.armed {
				b.run(b.fires(armed)) // at worst everything fires, and twice
				b.run(b.fires(armed))
			}
			want := 0
			if again == waiting {
				want = 1
			}
			if b.fired != want {
				t.Errorf("answered %d timeouts, want %d", b.fired, want)
			}
		})
	}
}

func TestTimeoutOfAnotherStayIsIgnoredAndCounted(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{})
	b.run(b.says(-5, "hello"))
	first := b.alarms.armed[0]
	b.run(b.says(-5, "pay"))
	b.run(b.fires(first)) // another state
	b.run(b.says(-5, "hello"))
	d := b.fires(first) // the same state again, with another timer
	if next := b.run(d); next.Again != 0 || b.step(d) != waiting {
		t.Errorf("next %+v at %q", next, b.step(d))
	}
	if b.fired != 0 || b.late() != 2 {
		t.Errorf("%d late timeouts were answered, %v counted; want 0 and 2", b.fired, b.late())
	}
	b.run(b.fires(b.alarms.armed[2]))
	b.run(b.fires(b.alarms.armed[2])) // delivered twice
	if b.fired != 1 || b.late() != 3 {
		t.Errorf("%d timeouts were answered, %v late; want 1 and 3", b.fired, b.late())
	}
}

// Under every strategy a timer fires in the lane that armed it; any lane that leaves its state cancels it.
func TestTimerOfEveryStrategy(t *testing.T) {
	t.Parallel()
	for _, name := range fsm.Strategies() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			strategy, err := fsm.ParseStrategy(name)
			if err != nil {
				t.Fatal(err)
			}
			b := newBench(t, Config{Strategy: strategy, LaneKey: lane.ByChat})
			d := b.says(-5, "hello")
			b.run(d)
			armed := b.alarms.armed[0]
			if armed.Update.Lane != d.Lane {
				t.Errorf("fires in lane %s, armed in %s", armed.Update.Lane, d.Lane)
			}
			elsewhere := int64(-5)
			if strategy == fsm.GlobalUser {
				elsewhere = -6
			}
			b.run(b.says(elsewhere, "pay"))
			cancelled := b.alarms.cancelled[0]
			if cancelled.Conversation != armed.Conversation || cancelled.Token != armed.Token {
				t.Errorf("cancelled %s %s, armed was %s %s", cancelled.Conversation, cancelled.Token, armed.Conversation, armed.Token)
			}
			b.run(b.fires(b.alarms.armed[1]))
			if b.fired != 1 {
				t.Errorf("answered %d timeouts, want 1", b.fired)
			}
		})
	}
}

// An earlier attempt's wish for the timer ends with it.
func TestStaleAttemptKeepsTheCommittedTimer(t *testing.T) {
	fresh := time.Duration(0)
	b := newBench(t, Config{SkipAfter: func(string) time.Duration { return fresh }})
	first := b.says(-5, "hello")
	if n := b.run(first); n != (queue.Next{}) {
		t.Fatal(n)
	}
	armed := b.alarms.armed[0]
	b.alarms.onArm = func(timer.Timer) error { return timer.ErrNotArmed } // or the store is away at the commit
	second := b.says(-5, "pay")
	run := b.runner.Start(second)
	if n := run(t.Context()); n.Again == 0 {
		t.Fatal(n)
	}
	b.alarms.onArm = nil
	fresh = time.Nanosecond // it outlived its use meanwhile
	if n := run(t.Context()); n != (queue.Next{}) {
		t.Fatal(n)
	}
	for _, c := range b.alarms.cancelled {
		if c.Token == armed.Token {
			t.Errorf("state still at %q with token %q, and its timer was cancelled", b.step(second), armed.Token)
		}
	}
}
