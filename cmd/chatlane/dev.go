package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sync/errgroup"

	"github.com/chatlane/chatlane/internal/app"
	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/handlers"
	"github.com/chatlane/chatlane/internal/ingress"
	"github.com/chatlane/chatlane/internal/simulator"
	"github.com/chatlane/chatlane/internal/telemetry"
)

type devCommand struct {
	Dev devConfig `embed:""`
}

type devConfig struct {
	Data     string        `env:"CHATLANE_DATA" help:"Folder of the embedded broker. Empty: chatlane in the user's cache folder; with --demo, a new one."`
	Demo     bool          `env:"CHATLANE_DEMO" help:"Play a scripted conversation of several people, print what each saw, and exit."`
	Token    config.Secret `env:"CHATLANE_TOKEN" help:"Talk to the real Telegram by long polling, as the bot with this token, instead of the simulated one."`
	LogLevel string        `env:"CHATLANE_LOG_LEVEL" default:"warn" help:"Least level that is logged: debug, info, warn or error."`
}

func (c *devConfig) Validate() error {
	if c.Token == "" {
		return nil
	}
	return config.Bot{Token: c.Token}.Check("CHATLANE_TOKEN", "")
}

func (*devCommand) Help() string {
	return `Broker, ingress, worker and a simulated Telegram run in one process.

Examples:

  chatlane dev
  chatlane dev --demo
  chatlane dev --token-file=/run/secrets/token`
}

// devSecret guards a webhook that listens on loopback only.
const devSecret = "one-process-mode"

func (d *devCommand) Run(ctx context.Context, p config.Program) error {
	cfg := d.Dev
	dir, remove, err := cfg.folder()
	if err != nil {
		return err
	}
	defer remove()
	server, err := embedded.Start(embedded.Config{Dir: dir})
	if err != nil {
		return err
	}
	defer server.Stop()
	// Each simulated Telegram counts its updates from another number: a broker that was used before takes an
	// id that it knows for a repetition.
	h := &house{p: p, cfg: cfg, server: server, telegram: simulator.New(simulator.Config{Seed: uint64(time.Now().UnixNano())})}
	return h.run(ctx)
}

// folder is where the broker keeps its files; remove deletes a temporary one.
func (c *devConfig) folder() (dir string, remove func(), err error) {
	switch {
	case c.Data != "":
		return c.Data, func() {}, nil
	case c.Demo:
		dir, err = os.MkdirTemp("", "chatlane-demo-")
		return dir, func() { _ = os.RemoveAll(dir) }, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", nil, fmt.Errorf("no cache folder: set CHATLANE_DATA: %w", err)
	}
	return filepath.Join(cache, "chatlane"), func() {}, nil
}

type house struct {
	p        config.Program
	cfg      devConfig
	server   *embedded.Server
	telegram *simulator.Telegram
	tel      *telemetry.Telemetry
}

func (h *house) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tel, err := telemetry.Start(ctx, telemetry.Config{LogLevel: h.cfg.LogLevel, LogFormat: "text", Output: h.p.Stderr})
	if err != nil {
		return err
	}
	h.tel = tel
	api, hook, err := listeners(ctx)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	token, apiURL := config.Secret(simulator.Token), "http://"+api.Addr().String()
	endTelegram := func() error { return nil }
	if h.cfg.Token != "" {
		token, apiURL = h.cfg.Token, "https://api.telegram.org"
		_ = api.Close()
	} else {
		endTelegram = h.serveTelegram(ctx, cancel, api)
	}
	bots := config.Bots{All: []config.Bot{{Token: token, Secrets: []config.Secret{devSecret}}}}
	g.Go(func() error { return h.ingress(ctx, bots, apiURL, hook) })
	g.Go(func() error { return h.worker(ctx, bots, apiURL) })
	g.Go(func() error {
		defer cancel()
		return h.converse(ctx, fmt.Sprintf("http://%s/webhook/%d", hook.Addr(), bots.All[0].ID()))
	})
	err = g.Wait()
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, endTelegram(), tel.Shutdown(context.WithoutCancel(ctx)))
}

// serveTelegram runs the simulated Telegram until end is called. It must stop last: a call that loses its
// answer is made again in the next session. A failure before that calls cancel, and end returns it.
func (h *house) serveTelegram(ctx context.Context, cancel func(), l net.Listener) (end func() error) {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() {
		done <- h.telegram.Serve(ctx, l)
		cancel()
	}()
	return func() error { stop(); return <-done }
}

func listeners(ctx context.Context) (api, hook net.Listener, err error) {
	var lc net.ListenConfig
	if api, err = lc.Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
		return nil, nil, fmt.Errorf("listen on loopback: %w", err)
	}
	if hook, err = lc.Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
		return nil, nil, fmt.Errorf("listen on loopback: %w", err)
	}
	return api, hook, nil
}

// devPartitions is less than in production, since there is one worker.
const devPartitions = 16

func (h *house) broker() broker.Settings {
	return broker.Settings{Partitions: devPartitions, LaneKey: "chat", PinTTL: 2 * time.Second, Window: 256}
}

func (h *house) connect(ctx context.Context, failFast bool) (*broker.Conn, error) {
	return broker.Connect(ctx, broker.Config{FailFast: failFast, Logger: h.tel.Log, Options: []nats.Option{h.server.Option()}})
}

func (h *house) ingress(ctx context.Context, bots config.Bots, apiURL string, l net.Listener) error {
	conn, err := h.connect(ctx, true)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	return app.RunIngress(ctx, ingress.Config{
		Broker: h.broker(), Bots: bots, BotAPIURL: apiURL, Polling: h.cfg.Token != "",
		AllowedUpdates: handlers.New().AllowedUpdates(),
	}, app.Parts{Telemetry: h.tel, Conn: conn, Listener: l})
}

func (h *house) worker(ctx context.Context, bots config.Bots, apiURL string) error {
	conn, err := h.connect(ctx, false)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	return app.RunWorker(ctx, handlers.New(), app.Worker{
		Broker: h.broker(), Bots: bots, BotAPI: app.BotAPI{URL: apiURL}, State: app.State{Store: "nats"}, Limits: app.Limits{Burst: 5},
	}, app.Parts{Telemetry: h.tel, Conn: conn})
}

func (h *house) converse(ctx context.Context, webhook string) error {
	if h.cfg.Token != "" {
		h.p.Printf("polling Telegram; write to the bot there, stop with Ctrl-C\n")
		<-ctx.Done()
		return nil
	}
	h.telegram.First().SetWebhook(simulator.WebhookConfig{URL: webhook, Secret: devSecret, RetryBase: 200 * time.Millisecond})
	if h.cfg.Demo {
		return h.demo(ctx)
	}
	return h.chat(ctx)
}
