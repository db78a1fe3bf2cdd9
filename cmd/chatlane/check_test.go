package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/fsm/redisstore/redistest"
	"github.com/chatlane/chatlane/internal/preflight"
)

// check runs chatlane check against a broker and a Redis of its own.
func check(t *testing.T, redisArgs []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	broker, err := embedded.Start(embedded.Config{Dir: t.TempDir(), Listen: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Stop)
	var out, errs bytes.Buffer
	p := config.Program{Stdout: &out, Stderr: &errs, Environ: []string{
		"CHATLANE_NATS_URL=" + broker.URL(), "CHATLANE_REDIS_URL=" + redistest.Start(t, redisArgs...).URL,
	}}
	code = run(t.Context(), p, append([]string{"check"}, args...))
	return code, out.String(), errs.String()
}

func TestCheckFailsWhereALawDoesNotHold(t *testing.T) {
	code, out, errs := check(t, []string{"--appendonly", "no", "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"})
	for _, want := range []string{"LAW", "appendonly", "maxmemory-policy", "noeviction", "law 3"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in the table:\n%s", want, out)
		}
	}
	if code != config.ExitFailed || !strings.Contains(errs, "not every law holds") {
		t.Errorf("exits with %d: %s", code, errs)
	}
}

func TestCheckIsContentWithAdvice(t *testing.T) {
	code, out, errs := check(t, []string{"--appendfsync", "everysec"}, "--json")
	settings := map[string]int{}
	for line := range strings.Lines(out) {
		var f preflight.Finding
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("no JSON: %s", line)
		}
		settings[f.Setting] = f.Law
	}
	if law, found := settings["appendfsync"]; !found || law != 0 || code != 0 || errs != "" {
		t.Errorf("exits with %d: %v, %s", code, settings, errs)
	}
}

func TestCheckFailsWhereItCannotLook(t *testing.T) {
	var out, errs bytes.Buffer
	p := config.Program{Stdout: &out, Stderr: &errs, Environ: []string{"CHATLANE_NATS_URL=nats://127.0.0.1:1", "CHATLANE_REDIS_URL=redis://127.0.0.1:1/0"}}
	if code := run(t.Context(), p, []string{"check"}); code != config.ExitFailed || !strings.Contains(errs.String(), "NATS") || !strings.Contains(errs.String(), "redis") {
		t.Errorf("exits with %d: %s", code, &errs)
	}
}
