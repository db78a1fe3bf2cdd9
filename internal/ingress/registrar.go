package ingress

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/lifecycle"
)

const (
	// maxConnections is the most that Telegram opens to a webhook. A bot's highest rate is this number
	// divided by the time of one answer.
	maxConnections = 100
	watchPause     = 30 * time.Second
)

// Registrar sets one bot's webhook at Telegram and watches the status that Telegram reports.
type Registrar struct {
	bot     config.Bot
	api     API
	url     string
	types   []string
	log     *slog.Logger
	metrics *RegistrarMetrics
}

// NewRegistrar takes WebhookURL and AllowedUpdates from cfg. All registrars of a process share m.
func NewRegistrar(cfg Config, bot config.Bot, api API, m *RegistrarMetrics, log *slog.Logger) *Registrar {
	types := cfg.AllowedUpdates
	if types == nil {
		types = []string{} // an empty list means Telegram's default, a missing one the last list
	}
	return &Registrar{
		bot: bot, api: api, types: types, metrics: m,
		url: strings.TrimRight(cfg.WebhookURL, "/") + webhookPath + strconv.FormatInt(bot.ID(), 10),
		log: log.With(slog.Int64("bot", bot.ID())),
	}
}

// Run retries until the webhook is set, then watches it until ctx ends. It returns nil.
func (g *Registrar) Run(ctx context.Context) error {
	var failed failures
	for ctx.Err() == nil {
		err := g.set(ctx)
		if err == nil {
			g.log.InfoContext(ctx, "webhook set", slog.String("url", g.url))
			break
		}
		pause, news := failed.add(err)
		if news && ctx.Err() == nil {
			g.log.WarnContext(ctx, "webhook not set, trying again", slog.String("error", err.Error()))
		}
		lifecycle.Sleep(ctx, pause)
	}
	g.watchLoop(ctx)
	return nil
}

type setWebhook struct {
	URL            string   `json:"url"`
	SecretToken    string   `json:"secret_token"`
	MaxConnections int      `json:"max_connections"`
	AllowedUpdates []string `json:"allowed_updates"`
}

// set has no effect at Telegram if nothing changes, so every instance may call it.
func (g *Registrar) set(ctx context.Context) error {
	_, err := g.api.Call(ctx, "setWebhook", setWebhook{
		URL: g.url, SecretToken: g.bot.Secrets[0].Reveal(), MaxConnections: maxConnections, AllowedUpdates: g.types,
	})
	return err
}

func (g *Registrar) watchLoop(ctx context.Context) {
	var last info
	for ctx.Err() == nil {
		now, err := g.read(ctx)
		switch {
		case err == nil:
			g.note(ctx, last, now)
			last = now
		case ctx.Err() == nil:
			g.metrics.failures.Inc()
			g.log.DebugContext(ctx, "webhook info not read", slog.String("error", err.Error()))
		}
		lifecycle.Sleep(ctx, watchPause)
	}
}

type info struct {
	URL         string `json:"url"`
	Pending     int    `json:"pending_update_count"`
	ErrorDate   int64  `json:"last_error_date"`
	ErrorReason string `json:"last_error_message"`
}

func (g *Registrar) read(ctx context.Context) (info, error) {
	var now info
	result, err := g.api.Call(ctx, "getWebhookInfo", struct{}{})
	if err != nil {
		return now, err
	}
	if err := json.Unmarshal(result, &now); err != nil {
		return now, fmt.Errorf("read webhook info: %w", err)
	}
	return now, nil
}

func (g *Registrar) note(ctx context.Context, last, now info) {
	bot := strconv.FormatInt(g.bot.ID(), 10)
	g.metrics.pending.WithLabelValues(bot).Set(float64(now.Pending))
	g.metrics.lastError.WithLabelValues(bot).Set(float64(now.ErrorDate))
	if now.ErrorReason != "" && now.ErrorReason != last.ErrorReason {
		g.log.WarnContext(ctx, "telegram reports a failing webhook", slog.String("reason", now.ErrorReason),
			slog.Time("at", time.Unix(now.ErrorDate, 0)), slog.Int("pending", now.Pending))
	}
	if now.URL != g.url && now.URL != last.URL {
		g.log.WarnContext(ctx, "webhook was set to another place")
	}
}

// RegistrarMetrics are the metrics of a process's registrars.
type RegistrarMetrics struct {
	pending   *prometheus.GaugeVec
	lastError *prometheus.GaugeVec
	failures  prometheus.Counter
}

// NewRegistrarMetrics registers with reg unless it is nil. The label bot is closed: the configured ids.
func NewRegistrarMetrics(reg prometheus.Registerer) *RegistrarMetrics {
	with := promauto.With(reg)
	return &RegistrarMetrics{
		pending: with.NewGaugeVec(prometheus.GaugeOpts{
			Name: "chatlane_telegram_pending_updates", Help: "Updates that wait at Telegram for the webhook.",
		}, []string{"bot"}),
		lastError: with.NewGaugeVec(prometheus.GaugeOpts{
			Name: "chatlane_telegram_last_error_timestamp_seconds", Help: "When Telegram last failed to deliver to the webhook; 0: never.",
		}, []string{"bot"}),
		failures: with.NewCounter(prometheus.CounterOpts{
			Name: "chatlane_telegram_webhook_info_failures_total", Help: "Webhook infos that could not be read.",
		}),
	}
}
