package main

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/chatlane/chatlane/worker"
)

const (
	tokenA = "111:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	tokenB = "222:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
)

// expected is a log that tells when a text is in it.
type expected struct {
	text string
	seen chan struct{} // buffered, 1
}

func (e *expected) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(e.text)) {
		select {
		case e.seen <- struct{}{}:
		default:
		}
	}
	return len(p), nil
}

// withoutServers gives a config addresses of which none is in use or answers, and a log
// that tells when the worker waits for its broker.
func withoutServers(cfg worker.Config) (worker.Config, *expected) {
	log := &expected{text: "waiting for NATS", seen: make(chan struct{}, 1)}
	cfg.NATS.URL = "nats://127.0.0.1:1"
	cfg.Telemetry.AdminListen = "127.0.0.1:0"
	cfg.Telemetry.Output = log
	return cfg, log
}

// A program outside of Chatlane's module sets plain fields: a token is enough.
func TestZeroConfigAndATokenRun(t *testing.T) {
	t.Parallel()
	token := tokenA
	cfg := worker.Config{Bots: []worker.Bot{{Token: token}}}
	if err := cfg.Validate(); err != nil {
		t.Fatalf("refused: %v", err)
	}
	cfg, log := withoutServers(cfg)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- worker.Run(ctx, counter(orders{}), cfg) }()
	select {
	case <-log.seen:
		cancel()
	case err := <-ended:
		t.Fatalf("the worker ended before it waited for its broker: %v", err)
	}
	if err := <-ended; err != nil {
		t.Errorf("a stop while the broker is away: %v", err)
	}
}

func TestConfigWithoutABotIsRefused(t *testing.T) {
	t.Parallel()
	err := worker.Run(t.Context(), counter(orders{}), worker.Config{})
	if err == nil || !strings.Contains(err.Error(), "CHATLANE_BOT_TOKEN") {
		t.Errorf("%v, want a refusal that names CHATLANE_BOT_TOKEN", err)
	}
}

func TestConfigHasEachBot(t *testing.T) {
	t.Parallel()
	cfg := config("nats://127.0.0.1:1", strings.Split(tokenA+", "+tokenB, ","))
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	if len(cfg.Bots) != 2 || cfg.Bots[0].Token != tokenA || cfg.Bots[1].Token != tokenB {
		t.Errorf("bots %v", cfg.Bots)
	}
}

// The pages answer while the worker waits, and end after it; the pool is still open then.
func TestTheProgramStopsInOrder(t *testing.T) {
	t.Parallel()
	db := database(t)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg, log := withoutServers(config("", []string{tokenA, tokenB}))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, listener, db, cfg) }()
	select {
	case <-log.seen:
	case err := <-ended:
		t.Fatalf("the program ended: %v", err)
	}
	if err := get(t, listener); err != nil {
		t.Errorf("the pages while the worker waits: %v", err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("the program ends with %v", err)
	}
	if err := get(t, listener); err == nil {
		t.Error("the pages answer after the program's end")
	}
	if err := db.PingContext(t.Context()); err != nil {
		t.Errorf("the pool was closed before the program ended: %v", err)
	}
}

// A worker that is refused takes the pages down with it, and the error is the worker's.
func TestARefusedWorkerEndsTheProgram(t *testing.T) {
	t.Parallel()
	db := database(t)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), listener, db, config("", []string{"42"})); err == nil || !strings.Contains(err.Error(), "bot 1: token") {
		t.Errorf("%v, want the worker's refusal", err)
	}
}

func get(t *testing.T, l net.Listener) error {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+l.Addr().String()+"/healthz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
