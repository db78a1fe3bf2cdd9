package app_test

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/app"
	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/fsm/redisstore"
	"github.com/chatlane/chatlane/internal/fsm/redisstore/redistest"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/queue/deadletter"
	"github.com/chatlane/chatlane/internal/simulator"
	"github.com/chatlane/chatlane/internal/telemetry"
)

// The documented way, mend the handler and replay, charges nobody twice, with the state in
// Redis or in the broker.
func TestReplayChargesOnceWithEachStore(t *testing.T) {
	for _, store := range []string{"redis", "nats"} {
		t.Run(store, func(t *testing.T) {
			server, err := embedded.Start(embedded.Config{Dir: t.TempDir(), Listen: true})
			if err != nil {
				t.Fatal(err)
			}
			defer server.Stop()
			cfg := app.Worker{
				Broker: broker.Settings{URL: server.URL(), Partitions: 1, PinTTL: time.Second}, State: app.State{Store: store},
				Turns: app.Turns{MaxAttempts: 1}, Bots: config.Bots{All: []config.Bot{{Token: simulator.Token, Username: "b"}}},
			}
			if store == "redis" {
				cfg.Redis = redisstore.Settings{URL: "redis://" + redistest.Start(t).Addr}
			}
			var charged atomic.Int32
			var mended atomic.Bool
			answered := make(chan struct{}, 1)
			r := bot.New("b")
			r.Message(func(ctx context.Context, turn *bot.Turn) error {
				if _, err := bot.Once(ctx, turn, "charge", func(context.Context) (int32, error) { return charged.Add(1), nil }); err != nil {
					return err
				}
				if !mended.Load() {
					return errors.New("to be mended")
				}
				answered <- struct{}{}
				return nil
			})
			tel, err := telemetry.Start(t.Context(), telemetry.Config{Output: io.Discard, Exporter: "none"})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- app.RunWorker(ctx, r, cfg, app.Parts{Telemetry: tel}) }()
			defer func() {
				cancel()
				if err := <-ended; err != nil {
					t.Errorf("worker ends with %v", err)
				}
			}()
			publishText(t, cfg.Broker, "buy")
			conn, err := broker.Connect(t.Context(), broker.Config{URL: server.URL()})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(context.WithoutCancel(t.Context()))
			l := firstLetter(t, conn)
			mended.Store(true)
			if err := deadletter.New(conn).Replay(t.Context(), queue.NewPublisher(conn, 1, nil), l, false); err != nil {
				t.Fatal(err)
			}
			select {
			case <-answered:
			case <-time.After(20 * time.Second):
				t.Error("the replay was not answered")
			}
			if n := charged.Load(); n != 1 {
				t.Errorf("charged %d times, want once", n)
			}
		})
	}
}

// firstLetter waits for a dead letter.
func firstLetter(t *testing.T, conn *broker.Conn) deadletter.Letter {
	t.Helper()
	for range 400 {
		if l, err := deadletter.New(conn).Get(t.Context(), 1); err == nil {
			return l
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("no dead letter after 20 s")
	return deadletter.Letter{}
}
