package telemetry_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatlane/chatlane/internal/telemetry"
)

func TestLinesOfOneKindAreThrottledAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := telemetry.Throttled(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))).With(slog.Int("bot", 1))
		for range 1000 {
			log.WarnContext(t.Context(), "update refused", slog.String("reason", "too big"))
		}
		if n := strings.Count(out.String(), "too big"); n != 20 {
			t.Errorf("%d lines of one kind, want 20", n)
		}
		log.WarnContext(t.Context(), "update refused", slog.String("reason", "too deep"))
		log.WarnContext(t.Context(), "request refused", slog.String("reason", "too big"))
		if n := strings.Count(out.String(), "\n"); n != 22 {
			t.Errorf("%d lines, want 22: other kinds are throttled too", n)
		}
		for range 100 {
			log.DebugContext(t.Context(), "detail")
		}
		if n := strings.Count(out.String(), "detail"); n != 100 {
			t.Errorf("%d debug lines, want 100", n)
		}
		time.Sleep(10 * time.Second)
		out.Reset()
		log.WarnContext(t.Context(), "update refused", slog.String("reason", "too big"))
		if !strings.Contains(out.String(), "suppressed=980") {
			t.Errorf("the next line says %q, want how many were suppressed", out.String())
		}
	})
}
