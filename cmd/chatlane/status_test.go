package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/app"
	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/fleet"
	"github.com/chatlane/chatlane/internal/fsm/redisstore/redistest"
	"github.com/chatlane/chatlane/internal/handlers"
	"github.com/chatlane/chatlane/internal/limit"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/queue/queuetest"
	"github.com/chatlane/chatlane/internal/simulator"
	"github.com/chatlane/chatlane/internal/telemetry"
)

// statusOf runs chatlane status --json.
func statusOf(t *testing.T, p config.Program, out *bytes.Buffer) (s status, code int) {
	t.Helper()
	out.Reset()
	code = run(t.Context(), p, []string{"status", "--json"})
	line, _, _ := strings.Cut(out.String(), "\n")
	if err := json.Unmarshal([]byte(line), &s); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return s, code
}

func TestStatusShowsFleetBacklogAndServers(t *testing.T) {
	server, err := embedded.Start(embedded.Config{Dir: t.TempDir(), Listen: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	redis := redistest.Start(t).URL
	settings := broker.Settings{URL: server.URL(), Partitions: 4, PinTTL: time.Second}
	conn, err := broker.Connect(t.Context(), settings.Config("test"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.WithoutCancel(t.Context())) })
	if err := conn.Ensure(t.Context(), settings.Topology()); err != nil {
		t.Fatal(err)
	}
	if err := conn.EnsureConsumers(t.Context(), settings.Topology()); err != nil {
		t.Fatal(err)
	}
	for id := range int64(3) {
		if err := queue.NewPublisher(conn, 4, nil).Publish(t.Context(), queuetest.Update(100+id, id+1)); err != nil {
			t.Fatal(err)
		}
	}
	out := new(bytes.Buffer)
	p := config.Program{Stdout: out, Stderr: out, Environ: []string{
		"CHATLANE_NATS_URL=" + server.URL(), "CHATLANE_REDIS_URL=" + redis, "CHATLANE_PARTITIONS=4",
	}}

	s, code := statusOf(t, p, out)
	if code != 0 || s.Backlog.Queued != 3 || s.Backlog.Oldest <= 0 || len(s.Workers) != 0 || len(s.Partitions) != 4 || len(s.Streams) != 4 ||
		s.NATS.Version == "" || s.NATS.Error != "" || s.Redis == nil || s.Redis.Version == "" || s.Redis.Error != "" {
		t.Errorf("without a worker: exits with %d: %+v", code, s)
	}
	if u := s.Streams[0]; u.Name != "UPDATES" || u.Messages != 3 || u.Bytes == 0 || u.MaxBytes != 1<<30 {
		t.Errorf("UPDATES is %+v", u)
	}
	out.Reset()
	if code := run(t.Context(), p, []string{"status"}); code != 0 || !strings.Contains(out.String(), "3 queued") || !strings.Contains(out.String(), "none") {
		t.Errorf("exits with %d: %s", code, out)
	}

	startWorker(t, settings, redis)
	// A partition without updates needs no owner yet, and has none.
	until(t, "worker that owns partitions and has finished", func() bool {
		s, code = statusOf(t, p, out)
		return len(s.Workers) == 1 && len(s.Workers[0].Holds) > 0 && s.Backlog.Queued == 0
	})
	want := fleet.Limits{ChatBurst: 3}
	if w := s.Workers[0]; w.Release != config.Release() || len(w.Bots) != 1 || w.Bots[0] != 42 || len(s.Limits.Set) != 1 || s.Limits.Set[0] != want || len(s.Limits.Held) != 0 {
		t.Errorf("worker %+v, limits %+v", w, s.Limits)
	}
	if err := limit.NewRedis(dialed(t, redis), limit.Config{}).Block(t.Context(), 42, 0, limit.Message, time.Minute); err != nil {
		t.Fatal(err)
	}
	if s, _ := statusOf(t, p, out); len(s.Limits.Held) != 1 || s.Limits.Held[0].Bot != 42 || s.Limits.Held[0].Left < 30 {
		t.Errorf("a bot is held back, and limits are %+v", s.Limits)
	}
	if code := run(t.Context(), p, []string{"status"}); code != 0 || !strings.Contains(out.String(), "a bot none, a chat none (3 at once), a group none") || !strings.Contains(out.String(), "bot 42 sends nothing for another") {
		t.Errorf("exits with %d: %s", code, out)
	}
	for _, id := range s.Workers[0].Holds {
		if one := s.Partitions[id]; one.Partition != id || !one.Pinned || one.Pending != 0 || time.Since(one.Since) > time.Minute {
			t.Errorf("partition %d is held, and %+v", id, one)
		}
	}

	p.Environ[1] = "CHATLANE_REDIS_URL=redis://127.0.0.1:1/0"
	if s, code := statusOf(t, p, out); code != config.ExitFailed || s.Redis == nil || s.Redis.Error == "" || len(s.Workers) != 1 {
		t.Errorf("without Redis: exits with %d: %+v", code, s)
	}
}

// startWorker runs the bundled bot as the bot with id 42.
func startWorker(t *testing.T, settings broker.Settings, redis string) {
	t.Helper()
	api := httptest.NewServer(simulator.New(simulator.Config{}))
	t.Cleanup(api.Close)
	cfg := app.Worker{
		Broker: settings, State: app.State{LockTTL: time.Second}, BotAPI: app.BotAPI{URL: api.URL}, Grace: 2 * time.Second,
		Bots:      config.Bots{All: []config.Bot{{Token: "42:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", Username: "a_bot"}}},
		Telemetry: telemetry.Config{Output: io.Discard, AdminListen: "127.0.0.1:0"},
	}
	cfg.Redis.URL = redis
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- app.RunWorker(ctx, handlers.New(), cfg, app.Parts{}) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("worker ends with %v", err)
		}
	})
}

func TestStatusWatchesUntilItIsStopped(t *testing.T) {
	server, err := embedded.Start(embedded.Config{Dir: t.TempDir(), Listen: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	queuetest.Connect(t, server)
	ctx, cancel := context.WithCancel(t.Context())
	out := &twice{stop: cancel}
	p := config.Program{Stdout: out, Stderr: out, Environ: []string{"CHATLANE_NATS_URL=" + server.URL(), "CHATLANE_STORE=nats"}}
	if code := run(ctx, p, []string{"status", "--watch", "--json"}); code != 0 || out.lines != 2 {
		t.Errorf("exits with %d after %d lines", code, out.lines)
	}
}

// twice stops after the second line.
type twice struct {
	lines int
	stop  func()
}

func (w *twice) Write(b []byte) (int, error) {
	if w.lines += bytes.Count(b, []byte("\n")); w.lines >= 2 {
		w.stop()
	}
	return len(b), nil
}
