package app_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/app"
	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/fleet"
	"github.com/chatlane/chatlane/internal/fsm/redisstore"
	"github.com/chatlane/chatlane/internal/fsm/redisstore/redistest"
	"github.com/chatlane/chatlane/internal/ingress"
	"github.com/chatlane/chatlane/internal/partition"
	"github.com/chatlane/chatlane/internal/queue/deadletter"
	"github.com/chatlane/chatlane/internal/queue/parking"
	"github.com/chatlane/chatlane/internal/simulator"
	"github.com/chatlane/chatlane/internal/telemetry"
)

// installation is an ingress, a worker and a Telegram of its own, on servers that others use too.
type installation struct {
	t        *testing.T
	name     string
	telegram *simulator.Telegram
	conn     *broker.Conn
}

func install(t *testing.T, namespace, nats, redis, store string) *installation {
	t.Helper()
	// The same seed: both installations get the same update ids, of the same bot and chats.
	in := &installation{t: t, name: "in " + namespace, telegram: simulator.New(simulator.Config{Seed: 1})}
	api := httptest.NewServer(in.telegram)
	t.Cleanup(api.Close)
	in.run(func(ctx context.Context, _ app.Parts) error { return in.telegram.Run(ctx) })
	settings := broker.Settings{Namespace: namespace, URL: nats, Partitions: 4, PinTTL: time.Second}
	bots := config.Bots{All: []config.Bot{{Token: simulator.Token, Username: "shop_bot", Secrets: []config.Secret{ingressSecret}}}}
	hook, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := app.Worker{
		Broker: settings, Bots: bots, State: app.State{Store: store, LockTTL: time.Second}, BotAPI: app.BotAPI{URL: api.URL},
		Turns: app.Turns{MaxAttempts: 2, MinBackoff: time.Minute}, Grace: 2 * time.Second,
	}
	cfg.Redis.URL = redis
	in.run(func(ctx context.Context, p app.Parts) error { return app.RunWorker(ctx, in.router(), cfg, p) })
	in.run(func(ctx context.Context, p app.Parts) error {
		p.Listener = hook
		return app.RunIngress(ctx, ingress.Config{Broker: settings, Bots: bots, Grace: 2 * time.Second}, p)
	})
	in.telegram.First().SetWebhook(simulator.WebhookConfig{
		URL: fmt.Sprintf("http://%s/webhook/%d", hook.Addr(), bots.All[0].ID()), Secret: ingressSecret, RetryBase: 50 * time.Millisecond,
	})
	if in.conn, err = broker.Connect(t.Context(), settings.Config("test")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.conn.Close(context.WithoutCancel(t.Context())) })
	return in
}

func (in *installation) run(part func(context.Context, app.Parts) error) {
	in.t.Helper()
	tel, err := telemetry.Start(in.t.Context(), telemetry.Config{Output: io.Discard, Exporter: "none"})
	if err != nil {
		in.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(in.t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- part(ctx, app.Parts{Telemetry: tel}) }()
	in.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			in.t.Errorf("%s ends with %v", in.name, err)
		}
		_ = tel.Shutdown(context.WithoutCancel(in.t.Context()))
	})
}

// router answers with the installation's name.
func (in *installation) router() *bot.Router {
	r := bot.New("shop")
	r.Message(func(ctx context.Context, t *bot.Turn) error {
		if err := t.SetState(ctx, cart); err != nil {
			return err
		}
		return t.Answer(ctx, "What? "+in.name)
	}, bot.Text("buy"))
	r.Message(func(context.Context, *bot.Turn) error { return errors.New("no") }, bot.Text("fail"))
	r.Message(func(ctx context.Context, t *bot.Turn) error {
		if err := t.Clear(ctx); err != nil {
			return err
		}
		return t.Answer(ctx, "Yours "+in.name)
	}, bot.InState(cart))
	r.Message(bot.Say("Hello " + in.name))
	r.OnTimeout(func(ctx context.Context, t *bot.Turn) error {
		if err := t.Clear(ctx); err != nil {
			return err
		}
		return t.Answer(ctx, "Too late "+in.name)
	}, patience, cart)
	return r
}

// says has a person write, and waits for the bot's n-th answer.
func (in *installation) says(user int64, text string, n int) {
	in.t.Helper()
	in.telegram.Say(user, "Ann", text)
	in.await(fmt.Sprintf("answer %d %s", n, in.name), func() bool { return len(replies(in.telegram.Calls())) >= n })
}

func (in *installation) await(what string, holds func() bool) {
	in.t.Helper()
	ctx, cancel := context.WithTimeout(in.t.Context(), 30*time.Second)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case <-again.C:
		case <-ctx.Done():
			in.t.Fatalf("no %s", what)
		}
	}
}

func (in *installation) answers(texts ...string) {
	in.t.Helper()
	if diff := cmp.Diff(texts, replies(in.telegram.Calls())); diff != "" {
		in.t.Errorf("answers %s (-want +got):\n%s", in.name, diff)
	}
}

// holds is what is parked, dead and queued.
func (in *installation) holds() (parked []parking.Parked, d broker.Depth) {
	in.t.Helper()
	parked, err := parking.List(in.t.Context(), in.conn)
	if err != nil {
		in.t.Fatal(err)
	}
	if d, err = in.conn.Depth(in.t.Context()); err != nil {
		in.t.Fatal(err)
	}
	return parked, d
}

// Two installations have one NATS and one Redis, one bot and the same chats. Each answers its
// own people only; states, timers, parked lanes, dead letters and limits are its own.
func TestInstallationsWithDifferentNamespacesDoNotMeet(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, store string) {
		server, err := embedded.Start(embedded.Config{Dir: t.TempDir(), Listen: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(server.Stop)
		redis := redistest.Start(t).URL
		plain, shop := install(t, "", server.URL(), redis, store), install(t, "shop", server.URL(), redis, store)

		plain.says(ann, "buy", 1)
		shop.says(ann, "hi", 1) // the other's state is not its own
		plain.says(ann, "tea", 2)
		shop.says(ann, "buy", 2)
		shop.await("timeout in shop", func() bool { return len(replies(shop.telegram.Calls())) == 3 })
		plain.says(ann, "still there", 3) // the shop's timer fires in the shop only
		plain.answers("What? "+plain.name, "Yours "+plain.name, "Hello "+plain.name)
		shop.answers("Hello "+shop.name, "What? "+shop.name, "Too late "+shop.name)

		parkAndBury(t, plain, shop)
		workerCounts(t, plain, shop)
		namesAreApart(t, server.URL(), redis)
	})
}

// parkAndBury parks a lane of the first installation, which only that one can free; the second
// attempt makes a dead letter.
func parkAndBury(t *testing.T, first, second *installation) {
	t.Helper()
	first.telegram.Say(ann, "Ann", "fail")
	var parked []parking.Parked
	first.await("parked lane", func() bool { parked, _ = first.holds(); return len(parked) == 1 })
	if others, _ := second.holds(); len(others) != 0 {
		t.Errorf("%v is parked %s", others, second.name)
	}
	k := parked[0].Lane
	p := partition.Of(string(k), 4)
	if err := parking.Free(t.Context(), second.conn, p, k); !errors.Is(err, parking.ErrNotParked) {
		t.Errorf("freeing it %s: %v", second.name, err)
	}
	if err := parking.Free(t.Context(), first.conn, p, k); err != nil {
		t.Error(err)
	}
	first.await("dead letter", func() bool { _, d := first.holds(); return d.Dead == 1 })
	for l, err := range deadletter.New(second.conn).All(t.Context(), deadletter.Filter{}) {
		t.Errorf("%s there is dead letter %v, %v", second.name, l.ID, err)
	}
}

// workerCounts wants one worker in each.
func workerCounts(t *testing.T, all ...*installation) {
	t.Helper()
	for _, in := range all {
		census, err := fleet.NewCensus(in.conn)
		if err != nil {
			t.Fatal(err)
		}
		in.await("heartbeat", func() bool { return census.Workers() > 0 })
		await(t, time.Second) // a heartbeat of any other comes every 250 ms
		if n := census.Workers(); n != 1 {
			t.Errorf("%s there are %d workers", in.name, n)
		}
		census.Close()
	}
}

// namesAreApart wants every stream, subject and key to be one's or the other's by its name, and
// as many of each.
func namesAreApart(t *testing.T, nats, redis string) {
	t.Helper()
	conn, err := broker.Connect(t.Context(), broker.Config{URL: nats})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var names [2][]string
	add := func(name, mark string) {
		if rest, is := strings.CutPrefix(name, mark+"shop_"); is {
			names[1] = append(names[1], mark+rest)
		} else {
			names[0] = append(names[0], name)
		}
	}
	for info := range conn.JetStream().ListStreams(t.Context()).Info() {
		mark := ""
		if strings.HasPrefix(info.Config.Name, "KV_") {
			mark = "KV_"
		}
		add(info.Config.Name, mark)
	}
	client, err := redisstore.Dial(redis)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	keys, err := client.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if strings.Contains(key, ":lane:") { // what others come and go
			add(key, "")
		}
		if !strings.Contains(key, "chatlane:") {
			t.Errorf("key %s is nobody's", key)
		}
	}
	slices.Sort(names[0])
	slices.Sort(names[1])
	if diff := cmp.Diff(names[0], names[1]); diff != "" || len(names[0]) < 5 {
		t.Errorf("names (-plain +shop):\n%s", diff)
	}
}
