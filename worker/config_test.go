package worker_test

import (
	"strings"
	"testing"
	"time"

	"github.com/chatlane/chatlane/worker"
)

func TestConfigNamesEachWrongVariableAtOnce(t *testing.T) {
	cfg := worker.Config{
		Store: "sqlite", Strategy: "everybody", LockTTL: time.Millisecond, WaitReplicas: -1,
		Deadline: time.Hour, MinBackoff: time.Hour, LimitBot: -1, AtMostOnce: []string{"sendMoney"},
	}
	err := cfg.Validate()
	if err == nil {
		t.Fatal("a config without a bot and with eight wrong values is accepted")
	}
	for _, name := range []string{
		"CHATLANE_BOT_TOKEN", "CHATLANE_STORE", "CHATLANE_FSM_STRATEGY", "CHATLANE_LOCK_TTL", "CHATLANE_REDIS_WAIT_REPLICAS",
		"CHATLANE_HANDLER_DEADLINE", "CHATLANE_MIN_BACKOFF", "CHATLANE_LIMIT_BOT", "CHATLANE_AT_MOST_ONCE",
	} {
		if !strings.Contains(err.Error(), name+": ") {
			t.Errorf("%s is not named in:\n%v", name, err)
		}
	}
}

func TestRunRefusesAConfigBeforeItOpensAnything(t *testing.T) {
	err := worker.Run(t.Context(), nil, worker.Config{Store: "sqlite"})
	if err == nil || !strings.Contains(err.Error(), "CHATLANE_STORE") {
		t.Errorf("Run: %v, want a refusal that names CHATLANE_STORE", err)
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
	if cfg.Concurrency != 7 || cfg.Grace != 3*time.Second || len(cfg.Bots.All) != 1 || cfg.Store != "redis" {
		t.Errorf("got %d turns, %v grace, %d bots, store %q", cfg.Concurrency, cfg.Grace, len(cfg.Bots.All), cfg.Store)
	}
	t.Setenv("CHATLANE_STORE", "sqlite")
	if _, err := worker.FromEnvironment(); err == nil || !strings.Contains(err.Error(), "CHATLANE_STORE") {
		t.Errorf("a wrong store: %v, want an error that names it", err)
	}
}
