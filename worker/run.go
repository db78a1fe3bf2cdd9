// Package worker runs a bot: it owns partitions of the stream and takes their
// updates through the router, in order per chat, in parallel across chats, once
// each. An author's own worker is a main that calls [Main], or [Run].
package worker

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/fleet"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/partition"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/queue/deadletter"
	"github.com/chatlane/chatlane/internal/queue/timer"
	"github.com/chatlane/chatlane/internal/telegram/api"
	"github.com/chatlane/chatlane/internal/telemetry"
	"github.com/chatlane/chatlane/internal/turn"
)

// Run works until ctx ends, then hands its partitions over within cfg.Grace and
// returns nil. Any number of workers may run against the same servers.
func Run(ctx context.Context, router *bot.Router, cfg Config) error {
	return RunWith(ctx, router, cfg, Parts{})
}

// Parts are what a worker may share with others in its process. Each may be nil:
// then the worker makes its own, and ends it.
type Parts struct {
	Telemetry *telemetry.Telemetry // its admin server is run by its owner
	Conn      *broker.Conn
}

// RunWith is [Run] with shared parts: the worker's assembly, in the order of the layers.
func RunWith(ctx context.Context, router *bot.Router, cfg Config, shared Parts) (err error) {
	cfg = cfg.withDefaults()
	if err := errors.Join(cfg.Broker.Validate(), cfg.Validate()); err != nil {
		return err
	}
	a := &assembly{cfg: cfg, shared: shared}
	defer func() { err = errors.Join(err, a.stop(ctx)) }()
	if err := a.observe(ctx); err != nil {
		return err
	}
	if err := a.connect(ctx); err != nil {
		return quiet(ctx, err)
	}
	limiter, err := a.openState(ctx)
	if err != nil {
		return quiet(ctx, err)
	}
	router = a.forwarding(ctx, router)
	client := api.NewClient(api.Config{BaseURL: cfg.BotAPIURL, Timeout: cfg.BotAPITimeout, AtMostOnce: cfg.AtMostOnce}, limiter, a.tel.Registry)
	a.onStop("bot api client", func(context.Context) error { client.Close(); return nil })
	bots, err := a.identities(ctx, client)
	if err != nil {
		return quiet(ctx, err)
	}
	timers := timer.New(a.conn, cfg.Broker.Topology().Partitions, a.tel.Log, a.tel.Registry)
	runner := turn.New(a.turnConfig(), turn.Deps{
		Router: router, Store: a.store, Client: client, Dead: deadletter.New(a.conn), Timers: timers, Bots: bots,
	}, a.tel.Log, a.tel.Registry)
	a.onStop("urgent handlers", func(context.Context) error { runner.Wait(); return nil })
	presence := fleet.NewPresence(a.conn, fleet.PresenceConfig{
		Worker: cfg.Name, Partitions: cfg.Broker.Topology().Partitions, Every: min(cfg.Broker.PinTTL/4, 500*time.Millisecond), Logger: a.tel.Log,
	})
	owner := queue.NewOwner(a.conn, queue.OwnerConfig{
		PinTTL: cfg.Broker.PinTTL, Window: cfg.Broker.Window, Role: presence.Role, Hold: presence.Hold, Logger: a.tel.Log,
	}, lane.NewSlots(cfg.Concurrency), a.tel.Registry)
	workers := fleet.New(fleet.Config{Linger: cfg.Broker.Topology().PinTTL / 10, Logger: a.tel.Log}, presence, func(ctx, work context.Context, p partition.ID) error {
		return owner.Run(ctx, work, p, runner.Start)
	})
	return a.work(ctx, workers, timers.Run, a.preflight,
		func(ctx context.Context) { a.learnNames(ctx, client, bots, runner.Named) })
}

// work runs the fleet, and what there is to do beside it; turns that still run when the grace period is nearly over
// are cancelled, and recovered by the partitions' next owners.
func (a *assembly) work(ctx context.Context, workers *fleet.Fleet, beside ...func(context.Context)) error {
	work, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	a.tel.Health.SetReady(healthName)
	a.tel.Log.InfoContext(ctx, "worker runs", slog.String("worker", a.cfg.Name))
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return workers.Run(ctx, work) })
	for _, run := range beside {
		g.Go(func() error { run(ctx); return nil })
	}
	ended := make(chan struct{})
	go func() {
		select {
		case <-ctx.Done():
		case <-ended:
			return
		}
		a.tel.Health.SetNotReady(healthName, "stopping")
		a.tel.Log.InfoContext(ctx, "worker stops: no more intake")
		select {
		case <-time.After(a.cfg.Grace * 3 / 4):
			cancel(errGrace)
		case <-ended:
		}
	}()
	err := g.Wait()
	close(ended)
	return err
}

var errGrace = errors.New("worker stops: the grace period is nearly over")

const healthName = "worker"

// quiet turns the end of ctx into a clean stop.
func quiet(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return nil
}

// uniqueName tells a worker from all others, its own predecessors included.
func uniqueName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "worker"
	}
	var random [4]byte
	_, _ = rand.Read(random[:]) // it never fails
	return fmt.Sprintf("%s-%d-%s", host, os.Getpid(), hex.EncodeToString(random[:]))
}
