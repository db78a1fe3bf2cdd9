// Package throttle refuses the updates of users who send too many.
package throttle

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/chatlane/chatlane/bot"
)

// Config says how much one user may ask of the bot. Up to Limit updates pass at once, and Limit more as the
// limit grows back over Per. The zero value is usable.
type Config struct {
	Limit int           // updates at once; 0 means 20
	Per   time.Duration // in which Limit grows back; 0 means a minute
	// Key says who shares a limit; 0 is never refused. Nil means the user, else the chat.
	Key func(e bot.Envelope) int64
}

func (c Config) withDefaults() Config {
	if c.Limit == 0 {
		c.Limit = 20
	}
	if c.Per == 0 {
		c.Per = time.Minute
	}
	if c.Key == nil {
		c.Key = func(e bot.Envelope) int64 {
			if e.User != 0 {
				return e.User
			}
			return e.Chat
		}
	}
	return c
}

// Throttle is a token bucket for each user of each bot. It counts in this process, so a user whose chats are
// in several workers has the limit in each. Time is that of arrival: a backlog is no burst. Another attempt
// at an update costs nothing. Safe for concurrent use.
type Throttle struct {
	cfg Config

	mu      sync.Mutex
	buckets map[key]*bucket
	pruned  time.Time
}

type key struct{ bot, user int64 }

type bucket struct {
	limiter *rate.Limiter
	last    time.Time // kept, since arrivals of several chats are not in order
	paid    [4]int64  // ids of the updates let through last
}

// New makes a throttle. It panics on a negative limit or time.
func New(cfg Config) *Throttle {
	cfg = cfg.withDefaults()
	if cfg.Limit < 0 || cfg.Per < 0 {
		panic(fmt.Sprintf("throttle: limit %d in %v: want 0 or more of both", cfg.Limit, cfg.Per))
	}
	return &Throttle{cfg: cfg, buckets: map[key]*bucket{}}
}

// Gate drops an update that is too much, before it costs anything:
//
//	r.Before(th.Gate)
func (th *Throttle) Gate(_ context.Context, e bot.Envelope) error {
	if !th.allow(e) {
		return fmt.Errorf("over the limit of %d per %v: %w", th.cfg.Limit, th.cfg.Per, bot.ErrDropped)
	}
	return nil
}

// Middleware has an update that is too much handled by instead. Timeouts pass.
//
//	r.Outer(th.Middleware(slowDown))
func (th *Throttle) Middleware(instead bot.Handler) bot.Middleware {
	return func(next bot.Handler) bot.Handler {
		return func(ctx context.Context, t *bot.Turn) error {
			if t.Type() == bot.Timeout || th.allow(t.Envelope()) {
				return next(ctx, t)
			}
			return instead(ctx, t)
		}
	}
}

func (th *Throttle) allow(e bot.Envelope) bool {
	user := th.cfg.Key(e)
	if user == 0 {
		return true
	}
	now := e.Received
	if now.IsZero() {
		now = time.Now()
	}
	th.mu.Lock()
	defer th.mu.Unlock()
	th.prune(now)
	k := key{e.Bot, user}
	b := th.buckets[k]
	if b == nil {
		b = &bucket{limiter: rate.NewLimiter(rate.Limit(float64(th.cfg.Limit)/th.cfg.Per.Seconds()), th.cfg.Limit)}
		th.buckets[k] = b
	}
	if e.Update != 0 && slices.Contains(b.paid[:], e.Update) {
		return true
	}
	if now.After(b.last) {
		b.last = now
	}
	if !b.limiter.AllowN(b.last, 1) {
		return false
	}
	copy(b.paid[1:], b.paid[:])
	b.paid[0] = e.Update
	return true
}

func (th *Throttle) prune(now time.Time) {
	if now.Sub(th.pruned) < th.cfg.Per {
		return
	}
	th.pruned = now
	for k, b := range th.buckets {
		if now.Sub(b.last) >= th.cfg.Per {
			delete(th.buckets, k)
		}
	}
}
