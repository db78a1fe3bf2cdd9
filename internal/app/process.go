// Package app assembles the two programs, worker and ingress, from their parts, and takes them apart again.
// It touches no signal and no environment.
package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/lifecycle"
	"github.com/chatlane/chatlane/internal/telegram/api"
	"github.com/chatlane/chatlane/internal/telemetry"
)

// Parts are what assemblies may share in one process. For a nil part the assembly makes its own, and ends it.
type Parts struct {
	Telemetry *telemetry.Telemetry // its admin server is run by its owner
	Conn      *broker.Conn         // for ingress it must fail fast
	Client    *api.Client          // for ingress only
	Listener  net.Listener         // for ingress only, instead of one on Listen

	// Pause is how long UPDATES stays away after somebody has deleted it. 0 means 30 s.
	Pause time.Duration
}

type process struct {
	health string // what readiness calls this assembly
	tel    *telemetry.Telemetry
	conn   *broker.Conn
	lifecycle.Steps
}

func (p *process) observe(ctx context.Context, cfg telemetry.Config, shared *telemetry.Telemetry) error {
	if p.tel = shared; shared == nil {
		tel, err := telemetry.Start(ctx, cfg)
		if err != nil {
			return err
		}
		p.tel = tel
		p.OnStop("telemetry", tel.Shutdown)
	}
	p.Log = p.tel.Log
	p.tel.Health.SetNotReady(p.health, "starting")
	if shared != nil {
		return nil
	}
	return p.admin(ctx)
}

// admin serves metrics and readiness until the last step but telemetry's.
func (p *process) admin(ctx context.Context) error {
	ln, err := p.tel.Admin.Listen(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- p.tel.Admin.Serve(ctx, ln) }()
	p.OnStop("admin server", func(context.Context) error { cancel(); return <-ended })
	return nil
}

func (p *process) connect(ctx context.Context, cfg broker.Config, shared *broker.Conn) error {
	if p.conn = shared; shared == nil {
		cfg.Logger = p.tel.Log
		err := p.await(ctx, "waiting for NATS", "NATS runs, and CHATLANE_NATS_URL is its address", func(ctx context.Context) (err error) {
			p.conn, err = broker.Connect(ctx, cfg)
			return err
		})
		if err != nil {
			return err
		}
		p.OnStop("broker connection", func(ctx context.Context) error { p.conn.Close(ctx); return nil })
	}
	p.tel.Health.Check("nats", p.conn.Ready)
	return nil
}

// streamsCheck is what to check while streams or buckets cannot be made.
const streamsCheck = "NATS at CHATLANE_NATS_URL has JetStream, and room for the streams"

// await tries until it works. A broker that is set up for another topology is a final error.
func (p *process) await(ctx context.Context, what, check string, try func(context.Context) error) error {
	return lifecycle.Backoff{
		Final: func(err error) bool { return errors.Is(err, broker.ErrTopology) },
		Waiting: func(err error) {
			p.tel.Log.WarnContext(ctx, "not started yet", slog.String("what", what), slog.String("check", check), slog.String("error", err.Error()))
			p.tel.Health.SetNotReady(p.health, what)
		},
	}.Await(ctx, try)
}

func clean(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return nil
}
