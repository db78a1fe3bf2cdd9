package ingress

import (
	"context"
	"errors"
	"log/slog"
	"net"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/telegram/api"
	"github.com/chatlane/chatlane/internal/telemetry"
)

// Parts are what an assembly may share with others in its process. Each may be nil:
// then Run makes its own, and ends it.
type Parts struct {
	Telemetry *telemetry.Telemetry // its admin server is run by its owner
	Conn      *broker.Conn         // must fail fast
	Client    *api.Client
	Listener  net.Listener // instead of one on Listen
}

// Run takes in updates until ctx ends, then drains: not ready, no more intake,
// answers to what is in flight. It returns nil after a clean stop.
func Run(ctx context.Context, cfg Config, parts Parts) (err error) {
	if err := errors.Join(cfg.Broker.Validate(), cfg.Validate()); err != nil {
		return err
	}
	cfg = cfg.withDefaults()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	a := assembly{cfg: cfg, fail: fail, client: parts.Client}
	if err := a.startTelemetry(ctx, parts.Telemetry); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.steps.run(ctx, cfg.Grace/4)) }()
	if err := a.connect(ctx, parts.Conn); err != nil {
		return a.cause(ctx, err)
	}
	return a.cause(ctx, a.serve(ctx, parts.Listener))
}

// healthName is what readiness calls the ingress itself.
const healthName = "ingress"

// assembly is a running ingress.
type assembly struct {
	cfg    Config
	fail   context.CancelCauseFunc
	tel    *telemetry.Telemetry
	conn   *broker.Conn
	client *api.Client
	shared bool // the telemetry is another's
	steps  steps
}

// cause is why the ingress ended: nil where it was asked to.
func (a *assembly) cause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func (a *assembly) startTelemetry(ctx context.Context, shared *telemetry.Telemetry) error {
	a.tel, a.shared = shared, shared != nil
	if shared == nil {
		tel, err := telemetry.Start(ctx, a.cfg.Telemetry)
		if err != nil {
			return err
		}
		a.tel = tel
		a.steps.add("telemetry", tel.Shutdown)
		a.startAdmin(ctx)
	}
	a.steps.log = a.tel.Log
	a.tel.Health.SetNotReady(healthName, "starting")
	return nil
}

// startAdmin serves readiness from the first to the last moment.
func (a *assembly) startAdmin(ctx context.Context) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := a.tel.Admin.Run(ctx); err != nil {
			a.fail(err)
		}
	}()
	a.steps.add("admin server", func(context.Context) error {
		cancel()
		<-done
		return nil
	})
}

// connect dials the broker, waits for it as long as it takes, and makes the streams.
func (a *assembly) connect(ctx context.Context, shared *broker.Conn) error {
	a.conn = shared
	for try := (trouble{}); a.conn == nil; {
		conn, err := broker.Connect(ctx, broker.Config{
			URL: a.cfg.Broker.URL, Name: "chatlane-ingress", FailFast: true,
			PublishWait: a.cfg.PublishTimeout, Logger: a.tel.Log,
		})
		if err == nil {
			a.conn = conn
			a.steps.add("broker connection", func(ctx context.Context) error { conn.Close(ctx); return nil })
			break
		}
		pause, news := try.next(err)
		if news {
			a.tel.Health.SetNotReady(healthName, "waiting for NATS")
			a.tel.Log.WarnContext(ctx, "waiting for NATS", slog.String("error", err.Error()))
		}
		if sleep(ctx, pause); ctx.Err() != nil {
			return ctx.Err()
		}
	}
	a.tel.Health.Check("nats", a.conn.Ready)
	return a.ensure(ctx)
}

// ensure makes the streams, or finds them as configured.
func (a *assembly) ensure(ctx context.Context) error {
	for try := (trouble{}); ; {
		err := a.conn.Ensure(ctx, a.cfg.Broker.Topology())
		if err == nil || errors.Is(err, broker.ErrTopology) || ctx.Err() != nil {
			return err
		}
		pause, news := try.next(err)
		if news {
			a.tel.Log.WarnContext(ctx, "waiting for the streams", slog.String("error", err.Error()))
		}
		sleep(ctx, pause)
	}
}
