package ingress_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatlane/chatlane/internal/ingress"
	"github.com/chatlane/chatlane/internal/telegram/api"
)

func TestRegistrarSetsTheWebhookAndWatchesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newBotAPI()
		a.fail = []error{&api.Error{Code: 429, RetryAfter: time.Second}, errDown}
		a.info = map[string]any{
			"url": "https://bot.example.com/base/webhook/111", "pending_update_count": 5,
			"last_error_date": 1700000000, "last_error_message": "Connection refused",
		}
		cfg := settings()
		cfg.WebhookURL = "https://bot.example.com/base/"
		var l log
		reg := prometheus.NewRegistry()
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		g := ingress.NewRegistrar(cfg, cfg.Bots.All[0], a, ingress.NewRegistrarMetrics(reg), l.logger())
		go func() { done <- g.Run(ctx) }()
		time.Sleep(95 * time.Second)
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		want := []string{"setWebhook", "setWebhook", "setWebhook", "getWebhookInfo", "getWebhookInfo", "getWebhookInfo", "getWebhookInfo"}
		if diff := cmp.Diff(want, a.called()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
		wantParams := `{"url":"https://bot.example.com/base/webhook/111","secret_token":"` + secret + `","max_connections":100,"allowed_updates":[]}`
		if got := a.params["setWebhook"]; got != wantParams {
			t.Errorf("set with %s", got)
		}
		if n := strings.Count(l.String(), "Connection refused"); n != 1 {
			t.Errorf("the reason is logged %d times, want once", n)
		}
		showsNothing(t, &l)
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "chatlane_telegram_pending_updates" && f.GetMetric()[0].GetGauge().GetValue() != 5 {
				t.Errorf("pending is %v", f)
			}
		}
	})
}

func TestRegistrarLogsAForeignWebhook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newBotAPI()
		a.info = map[string]any{"url": "https://elsewhere.example.com/hook"}
		cfg := settings()
		cfg.WebhookURL = "https://bot.example.com"
		var l log
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- ingress.NewRegistrar(cfg, cfg.Bots.All[0], a, ingress.NewRegistrarMetrics(nil), l.logger()).Run(ctx)
		}()
		time.Sleep(5 * time.Minute)
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if n := strings.Count(l.String(), "set to another place"); n != 1 || strings.Contains(l.String(), "elsewhere") {
			t.Errorf("told %d times, want once and without the place:\n%s", n, &l)
		}
	})
}
