package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/fleet"
	"github.com/chatlane/chatlane/internal/ingress"
	"github.com/chatlane/chatlane/internal/lifecycle"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/queue/deadletter"
	"github.com/chatlane/chatlane/internal/telegram/api"
)

type intake struct {
	process
	cfg    ingress.Config
	client *api.Client
	shared bool // the telemetry has another owner
}

// RunIngress takes in updates until ctx ends, then drains: not ready, no more intake, answers to what is in
// flight. It returns nil after a clean stop.
func RunIngress(ctx context.Context, cfg ingress.Config, parts Parts) (err error) {
	cfg = cfg.WithDefaults()
	if err := errors.Join(cfg.Telemetry.Validate(), cfg.Broker.Validate(), cfg.Validate()); err != nil {
		return err
	}
	in := &intake{cfg: cfg, client: parts.Client, shared: parts.Telemetry != nil, process: process{health: "ingress"}}
	defer func() { err = errors.Join(err, in.Stop(ctx, cfg.Grace/4)) }()
	if err := in.observe(ctx, cfg.Telemetry, parts.Telemetry); err != nil {
		return err
	}
	dial := cfg.Broker.Config("chatlane-ingress")
	dial.Program, dial.FailFast, dial.PublishWait = "ingress", true, cfg.PublishTimeout
	err = in.connect(ctx, dial, parts.Conn)
	if err != nil {
		return clean(ctx, err)
	}
	err = in.await(ctx, "waiting for the streams", streamsCheck, func(ctx context.Context) error { return in.conn.Ensure(ctx, cfg.Broker.Topology()) })
	if err != nil {
		return clean(ctx, err)
	}
	return in.serve(ctx, parts)
}

func (in *intake) serve(ctx context.Context, parts Parts) error {
	store := struct {
		*queue.Publisher
		*deadletter.Store
	}{queue.NewPublisher(in.conn, in.cfg.Broker.Topology().Partitions, in.tel.Registry), deadletter.New(in.conn)}
	updates := ingress.NewIntake(in.cfg, store, in.tel.Registry, in.tel.Log)
	if err := in.serveScale(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return in.conn.Watch(ctx) })
	stand := standing{
		process: &in.process, topology: in.cfg.Broker.Topology(), blocked: updates.Block,
		restore: func(ctx context.Context, allow func(string) error) ([]broker.Standing, error) {
			return in.conn.Restore(ctx, in.cfg.Broker.Topology(), allow)
		},
		pause: parts.Pause,
	}
	group.Go(func() error { return stand.run(ctx) })
	if err := in.start(ctx, group, updates, parts.Listener); err != nil {
		cancel()
		return errors.Join(err, group.Wait())
	}
	in.tel.Health.SetReady(in.health)
	in.OnStop("readiness", func(context.Context) error { in.tel.Health.SetNotReady(in.health, "stopped"); return nil })
	return group.Wait()
}

// serveScale serves /scale, unless the process also has a worker: such a process is not scaled.
func (in *intake) serveScale() error {
	if in.shared {
		return nil
	}
	census, err := fleet.NewCensus(in.conn)
	if err != nil {
		return err
	}
	in.OnStop("census of workers", func(context.Context) error { census.Close(); return nil })
	in.tel.Admin.Handle("GET /scale", newScaler(in.conn, census, in.cfg.Broker.Topology().Partitions, in.cfg.ScaleAge, in.tel.Log))
	return nil
}

func (in *intake) start(ctx context.Context, group *errgroup.Group, updates *ingress.Intake, ln net.Listener) error {
	if in.cfg.Polling {
		return in.poll(ctx, group, updates)
	}
	if err := in.serveWebhook(ctx, group, updates, ln); err != nil {
		return err
	}
	if in.cfg.WebhookURL == "" {
		return nil
	}
	return in.register(ctx, group)
}

func (in *intake) poll(ctx context.Context, group *errgroup.Group, updates *ingress.Intake) error {
	for _, bot := range in.cfg.Bots.All {
		api, err := in.api(bot)
		if err != nil {
			return err
		}
		group.Go(func() error { return ingress.NewPoller(in.cfg, bot.ID(), api, updates).Run(ctx) })
	}
	in.tel.Log.InfoContext(ctx, "ingress polls", slog.Int("bots", len(in.cfg.Bots.All)))
	return nil
}

func (in *intake) register(ctx context.Context, group *errgroup.Group) error {
	m := ingress.NewRegistrarMetrics(in.tel.Registry)
	for _, bot := range in.cfg.Bots.All {
		api, err := in.api(bot)
		if err != nil {
			return err
		}
		group.Go(func() error { return ingress.NewRegistrar(in.cfg, bot, api, m, in.tel.Log).Run(ctx) })
	}
	return nil
}

func (in *intake) serveWebhook(ctx context.Context, group *errgroup.Group, updates *ingress.Intake, ln net.Listener) error {
	cfg := in.cfg
	cfg.MaxBody = min(cfg.MaxBody, in.largest(ctx))
	hook, err := ingress.NewWebhook(cfg, updates, in.tel.Registry, in.tel.Log)
	if err != nil {
		return err
	}
	if ln == nil {
		var lc net.ListenConfig
		if ln, err = lc.Listen(ctx, "tcp", cfg.Listen); err != nil {
			return fmt.Errorf("CHATLANE_LISTEN: %w; set a free address such as :8080", err)
		}
	}
	cfg.Grace = 3 * (cfg.Grace - max(cfg.DrainDelay, 0)) / 4 // the rest is for the later stop steps
	if cfg.ConnMaxAge < shortAge {
		in.tel.Log.WarnContext(ctx, "connections are closed so soon that Telegram spends its time on opening them; set CHATLANE_CONN_MAX_AGE to 10s or more",
			slog.Duration("age", cfg.ConnMaxAge))
	}
	server := ingress.NewServer(cfg, hook, in.tel.Log)
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	group.Go(func() error {
		defer stop()
		return server.Serve(serving, ln)
	})
	group.Go(func() error {
		in.drain(ctx, serving, server, stop)
		return nil
	})
	in.tel.Log.InfoContext(ctx, "ingress listens", slog.String("address", ln.Addr().String()), slog.Int("bots", len(cfg.Bots.All)))
	return nil
}

// shortAge is the age of connections below which a warning is due.
const shortAge = 10 * time.Second

// drain makes the ingress not ready, lets the load balancer notice, and stops the server.
func (in *intake) drain(ctx, serving context.Context, server *ingress.Server, stop context.CancelFunc) {
	select {
	case <-serving.Done(): // the server failed
	case <-ctx.Done():
		in.tel.Health.SetNotReady(in.health, "stopping")
		in.tel.Log.InfoContext(serving, "ingress drains")
		server.Leave()
		lifecycle.Sleep(serving, max(in.cfg.DrainDelay, 0))
		stop()
	}
}

// headroom is kept free in a message for its headers, in bytes.
const headroom = 16 << 10

func (in *intake) largest(ctx context.Context) int64 {
	const telegrams = 512 << 10 // Telegram drops larger updates itself
	most := in.conn.MaxPayload() - headroom
	if most < telegrams {
		in.tel.Log.WarnContext(ctx, "the broker refuses updates that Telegram may send; raise its max_payload to 1MB",
			slog.Int64("largest", most))
	}
	return most
}

func (in *intake) api(bot config.Bot) (ingress.API, error) {
	if in.client == nil {
		in.client = api.NewClient(api.Config{BaseURL: in.cfg.BotAPIURL}, nil, in.ownRegistry())
		in.OnStop("bot api client", func(context.Context) error { in.client.Close(); return nil })
	}
	token, err := api.ParseToken(bot.Token.Reveal())
	if err != nil {
		return nil, fmt.Errorf("CHATLANE_BOT_TOKEN: %w", err)
	}
	return in.client.Account(token), nil
}

// ownRegistry is nil where the registry is another's, whose client may have registered the same metrics.
func (in *intake) ownRegistry() prometheus.Registerer {
	if in.shared {
		return nil
	}
	return in.tel.Registry
}
