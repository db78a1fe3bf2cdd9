// Package ingress receives Telegram's updates and stores each one before it confirms it.
//
// It answers 200 only after the broker has confirmed the update. It stores every authentic request, if need
// be as a dead letter, and drops all others before reading them. No token, secret or text of an update
// appears in a log, metric, trace or answer.
package ingress

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/chatlane/chatlane/internal/telemetry"
)

const scopeName = "github.com/chatlane/chatlane/internal/ingress"

const webhookPath = "/webhook/"

// Webhook answers POST /webhook/{bot_id}. Safe for concurrent use.
type Webhook struct {
	endpoints map[string]endpoint // by bot id as in the path
	sources   sources
	bodies    bodies
	intake    *Intake
	metrics   *metrics
	log       *slog.Logger
	tracer    trace.Tracer
	carrier   propagation.TextMapPropagator
	limiters  [outcomes]telemetry.LogLimiter
}

type endpoint struct {
	bot     int64
	secrets digests
}

// NewWebhook passes the bodies of authentic requests to intake. It refuses a bot without a secret.
func NewWebhook(cfg Config, intake *Intake, reg prometheus.Registerer, log *slog.Logger) (*Webhook, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.WithDefaults()
	allowed, err := parseNetworks(cfg.AllowedIPs)
	if err != nil {
		return nil, fmt.Errorf("CHATLANE_ALLOWED_IPS: %w", err)
	}
	proxies, err := parseNetworks(cfg.TrustedProxies)
	if err != nil {
		return nil, fmt.Errorf("CHATLANE_TRUSTED_PROXIES: %w", err)
	}
	h := &Webhook{
		endpoints: make(map[string]endpoint, len(cfg.Bots.All)),
		sources:   sources{allowed: allowed, proxies: proxies},
		bodies:    bodies{max: cfg.MaxBody},
		intake:    intake,
		metrics:   newMetrics(reg),
		log:       telemetry.Throttled(log),
		tracer:    otel.Tracer(scopeName),
		carrier:   otel.GetTextMapPropagator(),
	}
	for _, b := range cfg.Bots.All {
		h.endpoints[strconv.FormatInt(b.ID(), 10)] = endpoint{bot: b.ID(), secrets: newDigests(b.Secrets)}
	}
	for i := range h.limiters {
		h.limiters[i].Every = logPause
	}
	return h, nil
}

// ServeHTTP stores the request's update and answers 200. Other statuses have no body.
func (h *Webhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	h.metrics.inFlight.Inc()
	result := h.guarded(r.Context(), w, r)
	h.metrics.done(result, time.Since(began))
	result.answer(w)
}

func (h *Webhook) guarded(ctx context.Context, w http.ResponseWriter, r *http.Request) (result outcome) {
	defer func() {
		if p := recover(); p != nil {
			h.logPanic(ctx, p)
			result = panicked
		}
	}()
	return h.serve(ctx, w, r)
}

func (h *Webhook) serve(ctx context.Context, w http.ResponseWriter, r *http.Request) outcome {
	e, result := h.admit(r)
	if result != accepted {
		h.refused(ctx, result)
		return result
	}
	ctx, span := h.tracer.Start(h.carrier.Extract(ctx, propagation.HeaderCarrier(r.Header)), "ingress.webhook",
		trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()
	result = h.store(ctx, w, r, e.bot)
	if span.IsRecording() {
		span.SetAttributes(attribute.Int64("chatlane.bot", e.bot), attribute.String("chatlane.outcome", result.String()),
			attribute.Int("http.response.status_code", result.status()))
		if result.status() >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, result.String())
		}
	}
	return result
}

// admit decides by path, headers and address alone whether the request is from Telegram.
func (h *Webhook) admit(r *http.Request) (endpoint, outcome) {
	id, ok := strings.CutPrefix(r.URL.Path, webhookPath)
	if !ok {
		return endpoint{}, notFound
	}
	if r.Method != http.MethodPost {
		return endpoint{}, wrongMethod
	}
	e, ok := h.endpoints[id]
	switch {
	case !ok:
		return endpoint{}, notFound
	case r.ContentLength > h.bodies.max:
		return endpoint{}, tooLarge
	case !h.sources.allow(r):
		return endpoint{}, forbidden
	case !e.secrets.match(r):
		return endpoint{}, unauthorized
	}
	return e, accepted
}

func (h *Webhook) store(ctx context.Context, w http.ResponseWriter, r *http.Request, bot int64) outcome {
	body, result := h.bodies.read(w, r)
	if result != accepted {
		h.refused(ctx, result)
		return result
	}
	end := body.drop // after a panic, or without a confirmation, the client may still send the bytes
	defer func() { end() }()
	h.metrics.bytes.Add(float64(body.Len()))
	if result = h.intake.take(ctx, bot, body.Bytes()); result != unavailable {
		end = body.done
	}
	if result == accepted || result == deadLetter {
		proveUseful(r)
	}
	return result
}

// refused logs requests that point to a wrong setting; metrics count the others.
func (h *Webhook) refused(ctx context.Context, result outcome) {
	switch result {
	case tooLarge, forbidden, unauthorized, crowded:
	default:
		return
	}
	if suppressed, ok := h.limiters[result].Allow(); ok {
		h.log.WarnContext(ctx, "webhook request refused", slog.String("reason", result.String()), slog.Int("suppressed", suppressed))
	}
}

// logPanic logs a panic's value only if it is a runtime error: others might hold a part of the update.
func (h *Webhook) logPanic(ctx context.Context, p any) {
	what := fmt.Sprintf("%T", p)
	if err, ok := p.(runtime.Error); ok {
		what = err.Error()
	}
	h.log.ErrorContext(ctx, "webhook panicked", slog.String("panic", what), slog.String("stack", string(debug.Stack())))
}
