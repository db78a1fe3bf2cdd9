package worker_test

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/worker"
)

func TestConfigNamesEachWrongVariableAtOnce(t *testing.T) {
	cfg := worker.Config{
		State:  worker.State{Store: "sqlite", Strategy: "everybody", LockTTL: time.Millisecond, StateTTL: -time.Second},
		Redis:  worker.Redis{WaitReplicas: -1},
		Turns:  worker.Turns{Deadline: time.Hour, MinBackoff: time.Hour, Concurrency: -1, MaxAttempts: -1, ParkAfter: -1},
		BotAPI: worker.BotAPI{AtMostOnce: []string{"sendMoney"}, URL: "api.telegram.org", Timeout: time.Hour},
		Limits: worker.Limits{Bot: -2, Chat: -2, Burst: -3, Group: -2, BulkBot: -2, BulkChat: -2, BulkGroup: -2},
		NATS:   worker.NATS{Partitions: 5000}, Telemetry: worker.Telemetry{LogLevel: "loud"},
	}
	err := cfg.Validate()
	if err == nil {
		t.Fatal("a config without a bot and with wrong values is accepted")
	}
	for _, name := range []string{
		"CHATLANE_BOT_TOKEN", "CHATLANE_STORE", "CHATLANE_FSM_STRATEGY", "CHATLANE_LOCK_TTL", "CHATLANE_REDIS_WAIT_REPLICAS",
		"CHATLANE_HANDLER_DEADLINE", "CHATLANE_MIN_BACKOFF", "CHATLANE_LIMIT_BOT", "CHATLANE_AT_MOST_ONCE",
		"CHATLANE_LIMIT_CHAT", "CHATLANE_LIMIT_GROUP", "CHATLANE_BULK_BOT", "CHATLANE_BULK_CHAT", "CHATLANE_BULK_GROUP", "CHATLANE_CONCURRENCY", "CHATLANE_MAX_ATTEMPTS", "CHATLANE_PARK_AFTER",
		"CHATLANE_PARTITIONS", "CHATLANE_LOG_LEVEL", "CHATLANE_LIMIT_CHAT_BURST", "CHATLANE_STATE_TTL", "CHATLANE_BOT_API_URL", "CHATLANE_BOT_API_TIMEOUT",
	} {
		if !strings.Contains(err.Error(), name+": ") {
			t.Errorf("%s is not named in:\n%v", name, err)
		}
	}
}

func TestRunRefusesAConfigBeforeItOpensAnything(t *testing.T) {
	err := worker.Run(t.Context(), nil, worker.Config{State: worker.State{Store: "sqlite"}})
	if err == nil || !strings.Contains(err.Error(), "CHATLANE_STORE") {
		t.Errorf("Run: %v, want a refusal that names CHATLANE_STORE", err)
	}
}

// Wrong addresses stop the start, and none of them shows what it holds.
func TestWrongAddressesAreNamedAndNotShown(t *testing.T) {
	t.Setenv("CHATLANE_BOT_TOKEN", "42:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	for name, value := range map[string]string{
		"CHATLANE_NATS_URL": "nats://user:hush%zz@127.0.0.1:4222", "CHATLANE_REDIS_URL": "redis://:hush%zz@127.0.0.1",
		"CHATLANE_ADMIN_LISTEN": "8080", "CHATLANE_PARTITIONS": "0", "CHATLANE_CONCURRENCY": "0", "CHATLANE_MAX_ATTEMPTS": "-1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, value)
			_, err := worker.FromEnvironment()
			if err == nil || !strings.Contains(err.Error(), name+": ") || strings.Contains(err.Error(), "hush") {
				t.Errorf("%v, want a refusal that names %s and hides what it holds", err, name)
			}
		})
	}
}

// A worker whose metrics and readiness nobody could see does not start.
func TestTakenAdminAddressStopsTheStart(t *testing.T) {
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	t.Setenv("CHATLANE_BOT_TOKEN", "42:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	t.Setenv("CHATLANE_ADMIN_LISTEN", taken.Addr().String())
	cfg, err := worker.FromEnvironment()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Telemetry.Output = io.Discard
	if err := worker.Run(t.Context(), bot.New("b"), cfg); err == nil || !strings.Contains(err.Error(), "CHATLANE_ADMIN_LISTEN") {
		t.Errorf("%v, want a refusal that names CHATLANE_ADMIN_LISTEN", err)
	}
}

func TestSettingsComeFromTheEnvironment(t *testing.T) {
	t.Setenv("CHATLANE_BOT_TOKEN", "42:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	t.Setenv("CHATLANE_CONCURRENCY", "7")
	t.Setenv("CHATLANE_GRACE", "3s")
	cfg, err := worker.FromEnvironment()
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Turns.Concurrency != 7 || cfg.Grace != 3*time.Second || len(cfg.Bots) != 1 || cfg.State.Store != "redis" {
		t.Errorf("got %d turns, %v grace, %d bots, store %q", cfg.Turns.Concurrency, cfg.Grace, len(cfg.Bots), cfg.State.Store)
	}
	t.Setenv("CHATLANE_STORE", "sqlite")
	if _, err := worker.FromEnvironment(); err == nil || !strings.Contains(err.Error(), "CHATLANE_STORE") {
		t.Errorf("a wrong store: %v, want an error that names it", err)
	}
}
