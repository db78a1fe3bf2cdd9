package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/fsm/kvstore"
	"github.com/chatlane/chatlane/internal/fsm/redisstore"
	"github.com/chatlane/chatlane/internal/limit"
	"github.com/chatlane/chatlane/internal/telegram/api"
	"github.com/chatlane/chatlane/internal/telegram/update"
	"github.com/chatlane/chatlane/internal/telemetry"
	"github.com/chatlane/chatlane/internal/turn"
)

// assembly is a worker with what it holds open.
type assembly struct {
	cfg    Config
	shared Parts
	tel    *telemetry.Telemetry
	conn   *broker.Conn
	store  fsm.Store
	looks  []look // at settings, once the worker runs
	steps  []step // of stopping, in the order of starting
}

type step struct {
	name string
	stop func(context.Context) error
}

func (a *assembly) onStop(name string, stop func(context.Context) error) {
	a.steps = append(a.steps, step{name, stop})
}

// stop takes the steps in reverse order, within a quarter of the grace period.
func (a *assembly) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.cfg.Grace/4)
	defer cancel()
	var failed []error
	for _, s := range slices.Backward(a.steps) {
		if err := s.stop(ctx); err != nil {
			failed = append(failed, fmt.Errorf("stop %s: %w", s.name, err))
		}
		if a.tel != nil {
			a.tel.Log.InfoContext(ctx, "stopped", slog.String("step", s.name))
		}
	}
	return errors.Join(failed...)
}

// observe sets up logs, metrics and traces, and serves readiness from the first moment.
func (a *assembly) observe(ctx context.Context) error {
	if a.tel = a.shared.Telemetry; a.tel != nil {
		a.tel.Health.SetNotReady(healthName, "starting")
		return nil
	}
	tel, err := telemetry.Start(ctx, a.cfg.Telemetry)
	if err != nil {
		return err
	}
	a.tel = tel
	a.onStop("telemetry", tel.Shutdown)
	tel.Health.SetNotReady(healthName, "starting")
	ln, err := tel.Admin.Listen(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- tel.Admin.Serve(ctx, ln) }()
	a.onStop("admin server", func(context.Context) error { cancel(); return <-ended })
	return nil
}

// connect waits for the broker as long as it takes; what stands there and differs is an error.
func (a *assembly) connect(ctx context.Context) error {
	if a.conn = a.shared.Conn; a.conn == nil {
		err := a.await(ctx, "waiting for NATS", func() error {
			conn, err := broker.Connect(ctx, broker.Config{URL: a.cfg.Broker.URL, Name: a.cfg.Name, Logger: a.tel.Log})
			a.conn = conn
			return err
		})
		if err != nil {
			return err
		}
		a.onStop("broker connection", func(ctx context.Context) error { a.conn.Close(ctx); return nil })
	}
	a.tel.Health.Check("nats", a.conn.Ready)
	a.looks = append(a.looks, a.brokerLook)
	return a.await(ctx, "waiting for the streams", func() error {
		if err := a.conn.Ensure(ctx, a.cfg.Broker.Topology()); err != nil {
			return err
		}
		return a.conn.EnsureConsumers(ctx, a.cfg.Broker.Topology())
	})
}

// await tries until it works, and says once what it waits for.
func (a *assembly) await(ctx context.Context, what string, try func() error) error {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := try()
		if err == nil || errors.Is(err, broker.ErrTopology) || ctx.Err() != nil {
			return err
		}
		if wait == 100*time.Millisecond {
			a.tel.Log.WarnContext(ctx, "not started yet", slog.String("what", what), slog.String("error", err.Error()))
			a.tel.Health.SetNotReady(healthName, what)
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-t.C:
		}
		t.Stop()
	}
}

// openState opens the store, and the limiter that goes with it.
func (a *assembly) openState(ctx context.Context) (api.Limiter, error) {
	limits := limit.Config{
		BotPerSecond: a.cfg.LimitBot, ChatPerSecond: a.cfg.LimitChat, ChatBurst: a.cfg.LimitBurst, GroupPerMinute: a.cfg.LimitGroup,
	}
	if a.cfg.Store == storeNATS {
		err := a.await(ctx, "waiting for the state bucket", func() error {
			store, err := kvstore.Open(ctx, a.conn.JetStream(), kvstore.Config{
				Replicas: a.cfg.Broker.Topology().Replicas, LockTTL: a.cfg.LockTTL, StateTTL: a.cfg.StateTTL, Registerer: a.tel.Registry,
			})
			if err == nil {
				a.store = store
			}
			return err
		})
		limits.Replicas = a.cfg.Broker.Topology().Replicas
		return limit.NewNATS(a.conn.JetStream(), limits, a.tel.Log), err
	}
	client, err := redisstore.Dial(a.cfg.RedisURL)
	if err != nil {
		return nil, fmt.Errorf("CHATLANE_REDIS_URL: %w", err)
	}
	a.onStop("redis connection", func(context.Context) error { return client.Close() })
	store := redisstore.New(client, redisstore.Config{
		LockTTL: a.cfg.LockTTL, StateTTL: a.cfg.StateTTL, WaitReplicas: a.cfg.WaitReplicas, Registerer: a.tel.Registry,
	})
	a.tel.Health.Check("redis", func(ctx context.Context) error {
		if store.Ping(ctx) != nil {
			return errors.New("redis takes no writes")
		}
		return nil
	})
	a.store, a.looks = store, append(a.looks, store.Preflight)
	return limit.NewRedis(client, limits), nil
}

func (a *assembly) turnConfig() turn.Config {
	strategy, _ := fsm.ParseStrategy(a.cfg.Strategy) // validated
	return turn.Config{
		LaneKey: a.cfg.Broker.By(), Strategy: strategy, Deadline: a.cfg.Deadline, MaxAttempts: a.cfg.MaxAttempts,
		MinBackoff: a.cfg.MinBackoff, ParkAfter: a.cfg.ParkAfter, Freshness: update.Freshness,
	}
}
