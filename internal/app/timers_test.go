package app_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/app"
	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/fsm/redisstore/redistest"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/simulator"
	"github.com/chatlane/chatlane/internal/telegram/update"
	"github.com/chatlane/chatlane/internal/telemetry"
	"github.com/chatlane/chatlane/test/harness"
)

const (
	ann                = 501
	patience           = 2 * time.Second
	cart     bot.State = "order:cart"
)

// site is a deployment whose workers and broker come and go; Telegram and what the
// store has written stay.
type site struct {
	t        *testing.T
	store    string
	dir      string
	broker   *embedded.Server
	redis    *redistest.Server
	telegram *simulator.Telegram
	api      string
	ids      int64
	last     func() // what the handler of "buy" does last
}

func newSite(t *testing.T, store string) *site {
	t.Helper()
	s := &site{t: t, store: store, dir: t.TempDir(), telegram: simulator.New(simulator.Config{}), last: func() {}}
	if store == "redis" {
		s.redis = redistest.Start(t)
	}
	s.telegram.Say(ann, "Ann", "/start") // nobody polls for it; the bot may write to her now
	api := httptest.NewServer(s.telegram)
	t.Cleanup(api.Close)
	s.api = api.URL
	s.startBroker()
	t.Cleanup(func() { s.broker.Stop() })
	return s
}

func (s *site) startBroker() {
	s.t.Helper()
	broker, err := embedded.Start(embedded.Config{Dir: s.dir, Listen: true, SyncEvery: true})
	if err != nil {
		s.t.Fatal(err)
	}
	s.broker = broker
}

// router is a bot with one step that has its time.
func (s *site) router() *bot.Router {
	r := bot.New("shop")
	r.Message(func(ctx context.Context, t *bot.Turn) error {
		if err := t.SetState(ctx, cart); err != nil {
			return err
		}
		err := t.Answer(ctx, "What shall it be?")
		s.last()
		return err
	}, bot.Text("buy"))
	r.Message(func(ctx context.Context, t *bot.Turn) error {
		if err := t.Clear(ctx); err != nil {
			return err
		}
		return t.Answer(ctx, "It is yours.")
	}, bot.InState(cart))
	r.Message(bot.Say("Hello."))
	r.OnTimeout(func(ctx context.Context, t *bot.Turn) error {
		if err := t.Clear(ctx); err != nil {
			return err
		}
		return t.Answer(ctx, "Too late.")
	}, patience, cart)
	return r
}

// running is a worker; stop ends it and gives what it counted.
func (s *site) run() (stop func() (counted func(metric string) float64)) {
	s.t.Helper()
	tel, err := telemetry.Start(s.t.Context(), telemetry.Config{Output: io.Discard, Exporter: "none"})
	if err != nil {
		s.t.Fatal(err)
	}
	cfg := app.Worker{
		Broker: broker.Settings{URL: s.broker.URL(), Partitions: 4, PinTTL: time.Second},
		Bots:   config.Bots{All: []config.Bot{{Token: simulator.Token, Username: "shop_bot"}}},
		State:  app.State{Store: s.store, LockTTL: time.Second}, BotAPI: app.BotAPI{URL: s.api}, Grace: 2 * time.Second,
	}
	if s.redis != nil {
		cfg.Redis.URL = s.redis.URL
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- app.RunWorker(ctx, s.router(), cfg, app.Parts{Telemetry: tel}) }()
	once := sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Errorf("worker ends with %v", err)
		}
	})
	s.t.Cleanup(once)
	return func() func(string) float64 {
		once()
		return func(metric string) float64 { return sum(s.t, tel, metric) }
	}
}

func sum(t *testing.T, tel *telemetry.Telemetry, metric string) (total float64) {
	t.Helper()
	families, err := tel.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == metric {
			for _, m := range f.GetMetric() {
				total += m.GetCounter().GetValue()
			}
		}
	}
	return total
}

// say stores a text of Ann's as ingress does.
func (s *site) say(text string) {
	s.t.Helper()
	s.ids++
	body, err := json.Marshal(map[string]any{"update_id": s.ids, "message": map[string]any{
		"message_id": s.ids, "text": text, "chat": map[string]any{"id": ann, "type": "private"}, "from": map[string]any{"id": ann},
	}})
	if err != nil {
		s.t.Fatal(err)
	}
	e, err := update.Peek(424242, body)
	if err != nil {
		s.t.Fatal(err)
	}
	c := s.connect()
	defer c.Close(s.t.Context())
	u := queue.Update{ID: s.ids, Type: e.Type, Scope: e.Scope, Lane: lane.ByChat.Key(e.Scope), Received: time.Now(), Body: body}
	if err := queue.NewPublisher(c, 4, nil).Publish(s.t.Context(), u); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) connect() *broker.Conn {
	s.t.Helper()
	c, err := broker.Connect(s.t.Context(), broker.Config{URL: s.broker.URL()})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := c.Ensure(s.t.Context(), broker.Topology{Partitions: 4}); err != nil {
		s.t.Fatal(err)
	}
	return c
}

// expect waits for the last of these replies, and compares all.
func (s *site) expect(texts ...string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	if err := s.telegram.Await(ctx, func(calls []simulator.Call) bool {
		return slices.Contains(replies(calls), texts[len(texts)-1])
	}); err != nil {
		s.t.Errorf("no %q: %v", texts[len(texts)-1], err)
	}
	if diff := cmp.Diff(texts, replies(s.telegram.Calls())); diff != "" {
		s.t.Fatalf("replies (-want +got):\n%s", diff)
	}
}

func replies(calls []simulator.Call) []string {
	var out []string
	for _, c := range calls {
		if c.Method == "sendMessage" {
			out = append(out, c.Text)
		}
	}
	return out
}

func await(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
		t.Fatal("test ended")
	}
}

func stores(t *testing.T, test func(t *testing.T, store string)) {
	t.Helper()
	for _, store := range []string{"redis", "nats"} {
		t.Run(store, func(t *testing.T) { t.Parallel(); test(t, store) })
	}
}

func TestTimeoutFiresThoughEverythingWasDownAtItsTime(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, store string) {
		s := newSite(t, store)
		stop := s.run()
		s.say("buy")
		s.expect("What shall it be?")
		if armed := stop()("chatlane_timers_armed_total"); armed != 1 {
			t.Errorf("%v timers were armed, want 1", armed)
		}
		s.broker.Stop()
		if s.redis != nil {
			s.redis.Stop()
		}
		await(t, patience+time.Second)
		if s.redis != nil {
			s.redis.Restart()
		}
		s.startBroker()
		stop = s.run()
		s.expect("What shall it be?", "Too late.")
		s.say("hi")
		s.expect("What shall it be?", "Too late.", "Hello.")
		counted := stop()
		if fired, stale := counted("chatlane_timers_fired_total"), counted("chatlane_timers_stale_total"); fired != 1 || stale != 0 {
			t.Errorf("%v timers fired, %v stale; want 1 and 0", fired, stale)
		}
	})
}

func TestTimeoutOfAStateThatWasLeftIsIgnored(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, store string) {
		s := newSite(t, store)
		stop := s.run()
		s.say("buy")
		s.say("a kite")
		s.expect("What shall it be?", "It is yours.")
		await(t, patience+2*time.Second)
		s.say("hi")
		s.expect("What shall it be?", "It is yours.", "Hello.")
		counted := stop()
		if n := counted("chatlane_timers_cancelled_total"); n != 1 {
			t.Errorf("%v timers were cancelled, want 1", n)
		}
		if n := counted("chatlane_timers_fired_total"); n != 0 {
			t.Errorf("%v timers fired after they were cancelled", n)
		}
	})
}

// The turn's timer is stored and its state cannot be: Redis dies while the handler
// runs, and then the worker. The next worker has the turn again.
func TestTimeoutFiresOnceWhenTheWorkerDiesBetweenArmAndCommit(t *testing.T) {
	t.Parallel()
	s := newSite(t, "redis")
	s.last = sync.OnceFunc(s.redis.Stop)
	stop := s.run()
	s.say("buy")
	c := s.connect()
	defer c.Close(t.Context())
	harness.Eventually(t, 20*time.Second, "timer armed", func() bool {
		timers, err := c.JetStream().Stream(t.Context(), broker.Names{}.Timers())
		return err == nil && timers.CachedInfo().State.Msgs > 0
	})
	stop()
	s.redis.Restart()
	stop = s.run()
	s.expect("What shall it be?", "Too late.")
	await(t, patience+2*time.Second) // the second arming fires too
	s.say("hi")
	s.expect("What shall it be?", "Too late.", "Hello.")
	if armed := stop()("chatlane_timers_armed_total"); armed != 1 {
		t.Errorf("the second worker armed %v timers, want 1: the first one's turn was not had again", armed)
	}
}
