package app

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"golang.org/x/sync/errgroup"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/fleet"
	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/partition"
	"github.com/chatlane/chatlane/internal/queue/deadletter"
	"github.com/chatlane/chatlane/internal/queue/ownership"
	"github.com/chatlane/chatlane/internal/queue/timer"
	"github.com/chatlane/chatlane/internal/telegram/api"
	"github.com/chatlane/chatlane/internal/turn"
)

type worker struct {
	process
	cfg    Worker
	store  fsm.Store
	pause  time.Duration // of Parts
	checks []check       // at the servers' settings, once the worker runs
}

// RunWorker works until ctx ends, then hands its partitions over within cfg.Grace and returns nil. Its body
// is the assembly, in the order of the layers.
func RunWorker(ctx context.Context, router *bot.Router, cfg Worker, shared Parts) (err error) {
	cfg = cfg.withDefaults()
	if err := cfg.Check(); err != nil {
		return err
	}
	if router != nil { // a worker that forwards needs none
		if _, err := router.Compile(); err != nil {
			return err
		}
	}
	w := &worker{cfg: cfg, pause: shared.Pause, process: process{health: "worker"}}
	defer func() { err = errors.Join(err, w.Stop(ctx, cfg.Grace/4)) }()
	if err := w.observe(ctx, cfg.Telemetry, shared.Telemetry); err != nil {
		return err
	}
	if err := w.connect(ctx, shared.Conn); err != nil {
		return clean(ctx, err)
	}
	limiter, err := w.openState(ctx)
	if err != nil {
		return clean(ctx, err)
	}
	program, err := w.forwarding(ctx, router).Compile()
	if err != nil {
		return err
	}
	client := api.NewClient(api.Config{BaseURL: cfg.BotAPI.URL, Timeout: cfg.BotAPI.Timeout, AtMostOnce: cfg.BotAPI.AtMostOnce}, limiter, w.tel.Registry)
	w.OnStop("bot api client", func(context.Context) error { client.Close(); return nil })
	bots, err := w.identities(ctx, client)
	if err != nil {
		return clean(ctx, err)
	}
	timers := timer.New(timer.Config{Partitions: cfg.Broker.Topology().Partitions, MaxBytes: cfg.Broker.Topology().TimersMaxBytes, Logger: w.tel.Log}, w.conn, w.tel.Registry)
	presence := fleet.NewPresence(w.conn, fleet.PresenceConfig{
		Worker: cfg.Name, Bots: slices.Sorted(maps.Keys(bots)), Partitions: cfg.Broker.Topology().Partitions, Every: min(cfg.Broker.PinTTL/4, 500*time.Millisecond), Logger: w.tel.Log,
		About: w.about(),
	})
	w.tellLacking(presence)
	runner := turn.New(w.turnConfig(), turn.Deps{
		Program: program, Store: w.store, Client: client, Dead: deadletter.New(w.conn), Timers: timers, Bots: bots, Fleet: presence,
	}, w.tel.Log, w.tel.Registry)
	w.OnStop("urgent handlers", func(context.Context) error { runner.Wait(); return nil })
	owner := ownership.New(ownership.Config{
		PinTTL: cfg.Broker.PinTTL, Window: cfg.Broker.Window, Role: presence.Role, Hold: presence.Hold, Logger: w.tel.Log,
	}, w.conn, lane.NewSlots(cfg.Turns.Concurrency), w.tel.Registry)
	workers := fleet.New(fleet.Config{Linger: cfg.Broker.Topology().PinTTL / 10, Logger: w.tel.Log}, presence, func(ctx, work context.Context, p partition.ID) error {
		return owner.Run(ctx, work, p, runner.Start)
	})
	return w.work(ctx, workers, limiter.Run, timers.Run, w.preflight,
		func(ctx context.Context) { w.learnNames(ctx, client, bots, runner.Named) })
}

func (w *worker) connect(ctx context.Context, shared *broker.Conn) error {
	dial := w.cfg.Broker.Config(w.cfg.Name)
	dial.Program = "worker"
	if err := w.process.connect(ctx, dial, shared); err != nil {
		return err
	}
	w.checks = append(w.checks, w.brokerCheck)
	return w.await(ctx, "waiting for the streams", streamsCheck, func(ctx context.Context) error {
		if err := w.conn.Ensure(ctx, w.cfg.Broker.Topology()); err != nil {
			return err
		}
		return w.conn.EnsureConsumers(ctx, w.cfg.Broker.Topology())
	})
}

// work runs the fleet and the worker's other loops. After three quarters of the grace period it cancels
// running turns; the next owners of their partitions recover them.
func (w *worker) work(ctx context.Context, workers *fleet.Fleet, loops ...func(context.Context)) error {
	work, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	w.tel.Health.SetReady(w.health)
	w.tel.Log.InfoContext(ctx, "worker runs", slog.String("worker", w.cfg.Name))
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return workers.Run(ctx, work) })
	g.Go(func() error { return w.conn.Watch(ctx) })
	stand := standing{process: &w.process, topology: w.cfg.Broker.Topology(), restore: w.restore, workers: true, blocked: func(error) {}, pause: w.pause}
	stand.dropped = promauto.With(w.tel.Registry).NewCounter(prometheus.CounterOpts{
		Name: "chatlane_dead_letters_dropped_total", Help: "Oldest dead letters that made room for new ones, as each worker sees it.",
	})
	g.Go(func() error { return stand.run(ctx) })
	for _, run := range loops {
		g.Go(func() error { run(ctx); return nil })
	}
	ended := make(chan struct{})
	go func() {
		select {
		case <-ctx.Done():
		case <-ended:
			return
		}
		w.tel.Health.SetNotReady(w.health, "stopping")
		w.tel.Log.InfoContext(ctx, "worker stops: no more intake")
		select {
		case <-time.After(w.cfg.Grace * 3 / 4):
			cancel(errGrace)
		case <-ended:
		}
	}()
	err := g.Wait()
	close(ended)
	return err
}

var errGrace = errors.New("worker stops: the grace period is nearly over")

// uniqueName differs from all others, the worker's own predecessors included.
func uniqueName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "worker"
	}
	var random [4]byte
	_, _ = rand.Read(random[:]) // it never fails
	return fmt.Sprintf("%s-%d-%s", host, os.Getpid(), hex.EncodeToString(random[:]))
}
