package ingress_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/ingress"
)

func TestWebhookRefusesToStartWithoutSecret(t *testing.T) {
	var l log
	cfg := settings()
	cfg.Bots.All[0].Secrets = nil
	_, err := ingress.NewWebhook(cfg, intake(t, settings(), &store{}, &l), nil, l.logger())
	if err == nil || !strings.Contains(err.Error(), "CHATLANE_WEBHOOK_SECRET: bot 111 has none") {
		t.Errorf("error is %v", err)
	}
}

func TestWrongSettingsAreAllNamed(t *testing.T) {
	err := ingress.Config{
		AllowedIPs: []string{"telegram", "10.0.0.0/99"}, TrustedProxies: []string{"proxy"}, MaxBody: 1,
		PublishTimeout: time.Hour, ConnMaxAge: time.Millisecond, MaxConns: 1, Grace: -1, BotAPIURL: "api", WebhookURL: "x", Polling: true,
		Bots: config.Bots{All: []config.Bot{}},
	}.Validate()
	for _, name := range []string{
		"ALLOWED_IPS", "TRUSTED_PROXIES", "MAX_BODY", "PUBLISH_TIMEOUT", "CONN_MAX_AGE", "MAX_CONNS", "DRAIN_DELAY", "GRACE",
		"BOT_API_URL", "WEBHOOK_URL", "BOT_TOKEN",
	} {
		if err == nil || !strings.Contains(err.Error(), "CHATLANE_"+name+": ") {
			t.Errorf("%s is not named by:\n%v", name, err)
		}
	}
	if err := settings().Validate(); err != nil {
		t.Errorf("right settings: %v", err)
	}
}

func TestSecretsShowNowhere(t *testing.T) {
	var l log
	cfg := settings()
	_, _ = fmt.Fprintf(&l, "%v %+v %#v %s %q %x %d", cfg, cfg, cfg, cfg.Bots.All[0].Token, cfg.Bots.All[0].Token, cfg.Bots.All[0].Token, cfg.Bots.All[0].Token)
	l.logger().InfoContext(t.Context(), "config", slog.Any("config", cfg), slog.Any("token", cfg.Bots.All[0].Token))
	showsNothing(t, &l)
}
