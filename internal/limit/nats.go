package limit

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// NATS counts in a key-value bucket of the broker, for all workers that use it. Safe for concurrent use.
//
// A record is written by compare-and-set on the known revision: one round trip unless another worker wrote meanwhile.
// A refusal needs none: waits only grow, so one too long by an old record is too long by the newest. While the broker
// is away, each worker counts for itself, with an equal share of the bot's limit among the workers that sent lately.
type NATS struct {
	cfg    Config
	worker string // among the senders of a record
	local  *Local
	known  *known
	outage outage
}

// NewNATS makes its bucket on first need; cfg must be valid. The caller closes the connection.
func NewNATS(js jetstream.JetStream, cfg Config, log *slog.Logger) *NATS {
	cfg = cfg.withDefaults()
	return &NATS{
		cfg: cfg, worker: rand.Text()[:8], local: NewLocal(cfg),
		known: newKnown(newBucket(js, cfg)), outage: outage{log: log},
	}
}

func botKey(bot int64) string { return strconv.FormatInt(bot, 10) + ".bot" }

func chatKey(bot, chat int64) string {
	return strconv.FormatInt(bot, 10) + ".chat." + strconv.FormatInt(chat, 10)
}

func keys(bot, chat int64) []string {
	if chat == 0 {
		return []string{botKey(bot)}
	}
	return []string{botKey(bot), chatKey(bot, chat)}
}

// Wait implements [Limiter].
func (l *NATS) Wait(ctx context.Context, bot, chat int64) error {
	if l.outage.ask() {
		err := l.wait(ctx, bot, chat)
		if !l.outage.note(ctx, err) {
			return err
		}
	}
	return l.local.wait(ctx, bot, chat, l.share(bot, chat))
}

// Block implements [Limiter]. This worker keeps the block through an outage.
func (l *NATS) Block(ctx context.Context, bot, chat int64, d time.Duration) error {
	if err := l.local.Block(ctx, bot, chat, d); err != nil || !l.outage.ask() {
		return err
	}
	err := l.block(ctx, bot, chat, d)
	if l.outage.note(ctx, err) {
		return nil
	}
	return err
}

func (l *NATS) wait(ctx context.Context, bot, chat int64) error {
	// A bot that is known to be blocked must not cost the chat its place.
	waited, err := l.sit(ctx, l.known.blocked(botKey(bot)))
	if err != nil {
		return err
	}
	chats, bots := l.cfg.rates(chat), [3]rate{}
	chats[ofBot], bots[ofBot] = rate{}, chats[ofBot]
	if chat != 0 {
		w, err := l.take(ctx, chatKey(bot, chat), chats)
		if err != nil {
			return err
		}
		waited = waited || w
	}
	w, err := l.take(ctx, botKey(bot), bots)
	if err != nil || !waited && !w {
		return err
	}
	return l.unblocked(ctx, keys(bot, chat)...) // Telegram may have asked for more time
}

// take takes a place of each rate from one record and waits for it.
func (l *NATS) take(ctx context.Context, key string, rates [3]rate) (waited bool, err error) {
	if rates == [3]rate{} {
		return false, l.unblocked(ctx, key)
	}
	for {
		var left time.Duration
		taken := false
		err := l.known.change(ctx, key, func(r *record, now time.Time) bool {
			if left = r.Blocked.Sub(now); left > 0 {
				return false
			}
			left = r.reserve(rates, now)
			if rates[ofBot].n > 0 {
				r.sent(l.worker, now)
			}
			taken = left <= l.cfg.Patience
			return taken
		})
		if err != nil {
			return waited, err
		}
		w, err := l.sit(ctx, left)
		waited = waited || w
		if err != nil || taken {
			return waited, err
		}
	}
}

func (l *NATS) sit(ctx context.Context, d time.Duration) (waited bool, err error) {
	switch {
	case d <= 0:
		return false, nil
	case d > l.cfg.Patience:
		return false, &LaterError{After: d}
	}
	return true, pause(ctx, d)
}

func (l *NATS) unblocked(ctx context.Context, keys ...string) error {
	for {
		var left time.Duration
		for _, key := range keys {
			if err := l.known.refresh(ctx, key); err != nil {
				return err
			}
			left = max(left, l.known.blocked(key))
		}
		if waited, err := l.sit(ctx, left); err != nil || !waited {
			return err
		}
	}
}

func (l *NATS) block(ctx context.Context, bot, chat int64, d time.Duration) error {
	if chat != 0 {
		err := l.known.change(ctx, chatKey(bot, chat), func(r *record, now time.Time) bool { return r.block(now.Add(d)) })
		if err != nil {
			return err
		}
	}
	return l.known.change(ctx, botKey(bot), func(r *record, now time.Time) bool {
		if chat == 0 {
			return r.block(now.Add(d))
		}
		if r.refused(chat, now) >= l.cfg.BotWide {
			r.block(now.Add(d))
		}
		return true
	})
}

// share is what this worker may send while each counts for itself.
func (l *NATS) share(bot, chat int64) [3]rate {
	rates := l.cfg.rates(chat)
	if r := &rates[ofBot]; r.n > 0 {
		workers := l.known.senders(botKey(bot))
		r.n, r.burst = max(r.n/workers, 1), max(r.burst/workers, 1)
	}
	return rates
}

// errAway means that the broker gave no usable answer.
var errAway = errors.New("the broker does not keep the limits of sending")
