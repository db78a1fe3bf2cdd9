package ingress

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/telegram/update"
	"github.com/chatlane/chatlane/internal/telemetry"
)

// Publisher stores updates. A nil error means that the update is durably stored.
type Publisher interface {
	Publish(ctx context.Context, u queue.Update) error
}

// DeadLetters stores bodies that cannot be read or routed. A nil error means durably stored.
type DeadLetters interface {
	Reject(ctx context.Context, bot int64, body []byte, reason string) error
}

// Store stores all authentic requests.
type Store interface {
	Publisher
	DeadLetters
}

// Intake stores authentic updates of webhooks and polling. Safe for concurrent use.
type Intake struct {
	store   Store
	by      lane.By
	wait    time.Duration
	log     *slog.Logger
	dead    map[update.Reason]prometheus.Counter
	limiter telemetry.LogLimiter
	blocked atomic.Pointer[error]
}

// Block refuses all updates until it is called with nil: the broker would store them where
// nobody looks for them.
func (in *Intake) Block(why error) {
	if why == nil {
		in.blocked.Store(nil)
		return
	}
	in.blocked.Store(&why)
}

// NewIntake stores in s. It takes the lane key and PublishTimeout from cfg.
func NewIntake(cfg Config, s Store, reg prometheus.Registerer, log *slog.Logger) *Intake {
	cfg = cfg.WithDefaults()
	return &Intake{
		store: s, by: cfg.Broker.By(), wait: cfg.PublishTimeout, log: telemetry.Throttled(log),
		dead: newDeadLetterCounters(reg), limiter: telemetry.LogLimiter{Every: logPause},
	}
}

const logPause = 10 * time.Second

var errTooSlow = errors.New("the broker did not confirm in time")

// take stores an update, or a dead letter if the update cannot be routed. On any outcome but accepted and
// deadLetter Telegram must send the update again, and body may still be in use.
func (in *Intake) take(ctx context.Context, bot int64, body []byte) outcome {
	ctx, cancel := context.WithTimeoutCause(ctx, in.wait, errTooSlow)
	defer cancel()
	if why := in.blocked.Load(); why != nil {
		return in.refuse(ctx, bot, *why)
	}
	read, err := update.Peek(bot, body)
	if err != nil {
		return in.reject(ctx, bot, body, err)
	}
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		span.SetAttributes(attribute.String("chatlane.update.type", read.Type), attribute.Int64("chatlane.update.id", read.UpdateID))
	}
	err = in.store.Publish(ctx, queue.Update{
		ID: read.UpdateID, Type: read.Type, Scope: read.Scope, Lane: in.by.Key(read.Scope), Received: time.Now(), Body: body,
		Album: albumOf(read),
	})
	switch {
	case err == nil:
		return accepted
	case errors.Is(err, queue.ErrTooLarge): // it always will be
		return in.reject(ctx, bot, body[:min(len(body), maxKept)], err)
	case errors.Is(err, queue.ErrFull):
		in.refuse(ctx, bot, err)
		return full
	}
	return in.refuse(ctx, bot, err)
}

// maxKept is what a dead letter keeps of an update that is larger than the broker takes, in bytes.
const maxKept = 64 << 10

// albumOf is the media group of a new message; an edit is of a single message.
func albumOf(e update.Envelope) string {
	switch e.Type {
	case "message", "channel_post", "business_message":
		return e.Album
	}
	return ""
}

// reject stores an unroutable body as a dead letter: if it were refused, Telegram would repeat it and hold
// back all updates queued behind it.
func (in *Intake) reject(ctx context.Context, bot int64, body []byte, why error) outcome {
	if err := in.store.Reject(ctx, bot, body, why.Error()); err != nil {
		return in.refuse(ctx, bot, err)
	}
	if counter, known := in.dead[update.ReasonOf(why)]; known {
		counter.Inc()
	}
	in.log.WarnContext(ctx, "update made a dead letter",
		slog.Int64("bot", bot), slog.Int("bytes", len(body)), slog.String("reason", why.Error()))
	return deadLetter
}

func (in *Intake) refuse(ctx context.Context, bot int64, err error) outcome {
	if suppressed, ok := in.limiter.Allow(); ok {
		in.log.WarnContext(ctx, "update not stored, it must come again",
			slog.Int64("bot", bot), slog.String("error", err.Error()), slog.Int("suppressed", suppressed))
	}
	return unavailable
}

func (in *Intake) lane(bot int64, body []byte) lane.Key {
	read, err := update.Peek(bot, body)
	if err != nil {
		return ""
	}
	return in.by.Key(read.Scope)
}
