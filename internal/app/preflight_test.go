package app

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/preflight"
	"github.com/chatlane/chatlane/internal/telemetry"
)

func TestEachFindingIsSaidOnceWhenItsServerAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		asked := 0
		a := &worker{process: process{tel: &telemetry.Telemetry{Log: slog.New(slog.NewTextHandler(&out, nil))}}, checks: []check{
			func(context.Context) ([]preflight.Finding, error) {
				if asked++; asked < 4 {
					return []preflight.Finding{{Setting: "half"}}, fsm.ErrUnavailable
				}
				return []preflight.Finding{{Setting: "appendonly", Law: 3}, {Setting: "appendfsync"}}, nil
			},
			func(ctx context.Context) ([]preflight.Finding, error) {
				<-ctx.Done() // it hangs
				return nil, ctx.Err()
			},
		}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		a.preflight(ctx)
		log := out.String()
		if strings.Count(log, "setting=appendonly") != 1 || strings.Count(log, "setting=appendfsync") != 1 || strings.Contains(log, "half") ||
			strings.Count(log, "law=3") != 1 {
			t.Errorf("logged:\n%s", log)
		}
		if strings.Count(log, "does not answer") != 2 || !strings.Contains(log, "CHATLANE_REDIS_URL") { // the one that failed, the one that hung
			t.Errorf("want each silent server once, with its setting:\n%s", log)
		}
	})
}
