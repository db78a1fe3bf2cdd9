package bot

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// ThrottleConfig says how much one user may ask of the bot.
type ThrottleConfig struct {
	Limit int           // updates in any stretch of Per, more or less; 0 means 20
	Per   time.Duration // 0 means a minute
	// Key says who shares a limit; nil means the user, else the chat.
	Key func(g Envelope) int64
}

func (c ThrottleConfig) withDefaults() ThrottleConfig {
	if c.Limit == 0 {
		c.Limit = 20
	}
	if c.Per == 0 {
		c.Per = time.Minute
	}
	if c.Key == nil {
		c.Key = func(g Envelope) int64 {
			if g.User != 0 {
				return g.User
			}
			return g.Chat
		}
	}
	return c
}

// Throttle refuses the updates of those who send too many: a token bucket for each.
// It counts in this process, where all updates of a chat are handled as long as their
// partition stays; where chats of one user are in several workers, each counts its own.
// Another attempt at an update costs nothing. Safe for concurrent use. Time is that of
// arrival, so a backlog is no burst.
type Throttle struct {
	cfg ThrottleConfig

	mu      sync.Mutex
	buckets map[bucketKey]bucket
	swept   time.Time
}

type bucketKey struct{ bot, key int64 }

// bucket holds as many tokens at a time as have been saved since.
type bucket struct {
	tokens float64
	at     time.Time
	paid   [4]int64 // ids of the updates let through last: another attempt costs nothing
}

// NewThrottle makes a throttle. It panics on a negative limit or time.
func NewThrottle(cfg ThrottleConfig) *Throttle {
	cfg = cfg.withDefaults()
	if cfg.Limit < 0 || cfg.Per < 0 {
		panic(fmt.Sprintf("bot: throttle of %d in %v: want more than nothing", cfg.Limit, cfg.Per))
	}
	return &Throttle{cfg: cfg, buckets: map[bucketKey]bucket{}}
}

// Gate drops what is too much, before it costs anything: r.Before(throttle.Gate).
func (th *Throttle) Gate(_ context.Context, g Envelope) error {
	if !th.allow(g) {
		return fmt.Errorf("more than %d in %v: %w", th.cfg.Limit, th.cfg.Per, ErrDropped)
	}
	return nil
}

// Middleware has what is too much handled by instead: r.Outer(throttle.Middleware(slowDown)).
func (th *Throttle) Middleware(instead Handler) Middleware {
	return func(next Handler) Handler {
		return func(ctx context.Context, t *Turn) error {
			g := Envelope{Bot: t.p.Bot.ID, Update: int64(t.Update().UpdateID), Type: t.p.Type, Chat: t.p.Chat, User: t.p.User, Thread: t.p.Thread, Received: t.Received(), Raw: t.p.Raw}
			if t.typ == Timeout || th.allow(g) {
				return next(ctx, t)
			}
			return instead(ctx, t)
		}
	}
}

func (th *Throttle) allow(g Envelope) bool {
	key := th.cfg.Key(g)
	if key == 0 {
		return true
	}
	now := g.Received
	if now.IsZero() {
		now = time.Now()
	}
	th.mu.Lock()
	defer th.mu.Unlock()
	th.sweep(now)
	k := bucketKey{g.Bot, key}
	b, known := th.buckets[k]
	if !known {
		b = bucket{tokens: float64(th.cfg.Limit), at: now}
	}
	if g.Update != 0 && slices.Contains(b.paid[:], g.Update) {
		return true
	}
	b.tokens = min(float64(th.cfg.Limit), b.tokens+th.earned(now.Sub(b.at)))
	b.at = now
	ok := b.tokens >= 1
	if ok {
		b.tokens--
		copy(b.paid[1:], b.paid[:])
		b.paid[0] = g.Update
	}
	th.buckets[k] = b
	return ok
}

func (th *Throttle) earned(d time.Duration) float64 {
	return float64(th.cfg.Limit) * float64(max(0, d)) / float64(th.cfg.Per)
}

// sweep forgets who has been silent for so long that the bucket is full again.
func (th *Throttle) sweep(now time.Time) {
	if now.Sub(th.swept) < th.cfg.Per {
		return
	}
	th.swept = now
	for k, b := range th.buckets {
		if now.Sub(b.at) >= th.cfg.Per {
			delete(th.buckets, k)
		}
	}
}
