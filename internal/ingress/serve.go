package ingress

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/queue/deadletter"
	"github.com/chatlane/chatlane/internal/telegram/api"
)

// serve takes in updates until ctx ends.
func (a *assembly) serve(ctx context.Context, ln net.Listener) error {
	store := struct {
		*queue.Publisher
		*deadletter.Store
	}{queue.NewPublisher(a.conn, a.cfg.Broker.Topology().Partitions, a.tel.Registry), deadletter.New(a.conn)}
	intake := NewIntake(a.cfg, store, a.tel.Registry, a.tel.Log)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	if err := a.start(ctx, group, intake, ln); err != nil {
		cancel()
		return errors.Join(err, group.Wait())
	}
	a.tel.Health.SetReady(healthName)
	a.steps.add("readiness", func(context.Context) error { a.tel.Health.SetNotReady(healthName, "stopped"); return nil })
	return group.Wait()
}

func (a *assembly) start(ctx context.Context, group *errgroup.Group, intake *Intake, ln net.Listener) error {
	if a.cfg.Polling {
		return a.poll(ctx, group, intake)
	}
	if err := a.serveWebhook(ctx, group, intake, ln); err != nil {
		return err
	}
	if a.cfg.WebhookURL == "" {
		return nil
	}
	return a.register(ctx, group)
}

func (a *assembly) poll(ctx context.Context, group *errgroup.Group, intake *Intake) error {
	for _, bot := range a.cfg.Bots.All {
		api, err := a.api(bot)
		if err != nil {
			return err
		}
		group.Go(func() error { return NewPoller(a.cfg, bot.ID(), api, intake).Run(ctx) })
	}
	a.tel.Log.InfoContext(ctx, "ingress polls", slog.Int("bots", len(a.cfg.Bots.All)))
	return nil
}

// register tells Telegram where the webhooks are.
func (a *assembly) register(ctx context.Context, group *errgroup.Group) error {
	m := NewRegistrarMetrics(a.tel.Registry)
	for _, bot := range a.cfg.Bots.All {
		api, err := a.api(bot)
		if err != nil {
			return err
		}
		group.Go(func() error { return NewRegistrar(a.cfg, bot, api, m, a.tel.Log).Run(ctx) })
	}
	return nil
}

func (a *assembly) serveWebhook(ctx context.Context, group *errgroup.Group, intake *Intake, ln net.Listener) error {
	cfg := a.cfg
	cfg.MaxBody = min(cfg.MaxBody, a.largest(ctx))
	hook, err := NewWebhook(cfg, intake, a.tel.Registry, a.tel.Log)
	if err != nil {
		return err
	}
	if ln == nil {
		var lc net.ListenConfig
		if ln, err = lc.Listen(ctx, "tcp", cfg.Listen); err != nil {
			return fmt.Errorf("CHATLANE_LISTEN: %w; set a free address such as :8080", err)
		}
	}
	cfg.Grace = 3 * (cfg.Grace - cfg.DrainDelay) / 4 // the rest is for what stops after it
	server := NewServer(cfg, hook, a.tel.Log)
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	group.Go(func() error {
		defer stop()
		return server.Serve(serving, ln)
	})
	group.Go(func() error {
		a.drain(ctx, serving, stop)
		return nil
	})
	a.tel.Log.InfoContext(ctx, "ingress listens", slog.String("address", ln.Addr().String()), slog.Int("bots", len(cfg.Bots.All)))
	return nil
}

// drain makes the ingress not ready, lets the load balancer notice, and stops the server.
func (a *assembly) drain(ctx, serving context.Context, stop context.CancelFunc) {
	select {
	case <-serving.Done(): // the server failed
	case <-ctx.Done():
		a.tel.Health.SetNotReady(healthName, "stopping")
		a.tel.Log.InfoContext(serving, "ingress drains")
		sleep(serving, a.cfg.DrainDelay)
		stop()
	}
}

// headroom is kept free in a message for its headers, in bytes.
const headroom = 16 << 10

// largest is the largest update that the broker takes, in bytes.
func (a *assembly) largest(ctx context.Context) int64 {
	const telegrams = 512 << 10 // Telegram drops larger updates itself
	most := a.conn.MaxPayload() - headroom
	if most < telegrams {
		a.tel.Log.WarnContext(ctx, "the broker refuses updates that Telegram may send; raise its max_payload to 1MB",
			slog.Int64("largest", most))
	}
	return most
}

// api calls the Bot API for one bot.
func (a *assembly) api(bot config.Bot) (API, error) {
	if a.client == nil {
		cfg := api.Config{BaseURL: a.cfg.BotAPIURL}
		if err := cfg.Validate(); err != nil {
			return nil, err
		}
		a.client = api.NewClient(cfg, nil, a.ownRegistry())
		a.steps.add("bot api client", func(context.Context) error { a.client.Close(); return nil })
	}
	token, err := api.ParseToken(bot.Token.Reveal())
	if err != nil {
		return nil, fmt.Errorf("CHATLANE_BOT_TOKEN: %w", err)
	}
	return a.client.Account(token), nil
}

// ownRegistry is nil where the registry is another's, who may have a client as well.
func (a *assembly) ownRegistry() prometheus.Registerer {
	if a.shared {
		return nil
	}
	return a.tel.Registry
}
