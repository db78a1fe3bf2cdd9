package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestContextOfTheNATSToolReplacesTheAddress(t *testing.T) {
	p, out, _ := graveyard(t)
	home := t.TempDir()
	url := strings.TrimPrefix(p.Environ[0], "CHATLANE_NATS_URL=")
	dir := filepath.Join(home, "nats", "context")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "shop.json"), []byte(`{"url":"`+url+`"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	p.Environ = []string{"CHATLANE_NATS_URL=nats://127.0.0.1:1", "XDG_CONFIG_HOME=" + home}
	for _, command := range []string{"dead list", "lane list"} {
		if code := run(t.Context(), p, append(strings.Fields(command), "--nats-context=shop")); code != 0 {
			t.Errorf("%s: exit code %d: %s", command, code, out)
		}
	}
	if code := run(t.Context(), p, []string{"lane", "list", "--nats-context=other"}); code == 0 || !strings.Contains(out.String(), "CHATLANE_NATS_CONTEXT") {
		t.Errorf("a missing context: exit code %d: %s", code, out)
	}
}
