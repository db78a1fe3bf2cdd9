package limit

import (
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"strconv"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"
)

// Redis keeps the limits in Redis, for all workers that use it. All keys of a bot share a hash tag,
// "chatlane:{limit:<bot>}:..." (see Config.Prefix), and live no longer than they matter.
type Redis struct {
	shared
	redis redis.UniversalClient
	rates *redis_rate.Limiter
}

// NewRedis makes a limiter on a Redis server or cluster; cfg must be valid.
func NewRedis(client redis.UniversalClient, cfg Config) *Redis {
	cfg = cfg.withDefaults()
	s := &Redis{shared: newShared(cfg, rand.Text()[:8]), redis: client, rates: redis_rate.NewLimiter(client)}
	s.board = newRedisBoard(client, cfg)
	return s
}

// Wait implements [Limiter].
func (s *Redis) Wait(ctx context.Context, bot, chat int64, kind string) error {
	return s.wait(ctx, call{bot, chat, kind}, s.take)
}

func (s *Redis) take(ctx context.Context, c call, rates rates) (waited bool, err error) {
	for _, r := range rates {
		if r.n == 0 {
			continue
		}
		w, err := s.takeOne(ctx, c, r)
		if err != nil {
			return waited, err
		}
		waited = waited || w
	}
	return waited, nil
}

// takeOne waits for a token of one bucket, and tells whether it had to.
func (s *Redis) takeOne(ctx context.Context, c call, r rate) (waited bool, err error) {
	key, limit, patience := s.key(c, r), redis_rate.Limit{Rate: r.n, Burst: r.burst, Period: r.per}, s.cfg.patience(c.kind)
	began := time.Now()
	for try := 0; ; try++ {
		got, err := s.allow(ctx, key, limit)
		if err != nil || got.Allowed > 0 {
			return waited, err
		}
		// Many may wait for the same bucket, and only one of them gets the next token:
		// the longer a message has waited, the less often it asks.
		after := max(got.RetryAfter, time.Millisecond)
		after += mathrand.N(min(after<<min(try, 10), time.Second)) //nolint:gosec // spreads load, guards nothing
		if waits := time.Since(began); waits+after > patience {
			return waited, &LaterError{After: max(got.RetryAfter, patience/2) + mathrand.N(patience)} //nolint:gosec // likewise
		}
		if err := pause(ctx, after); err != nil {
			return true, err
		}
		waited = true
	}
}

func (s *Redis) allow(ctx context.Context, key string, l redis_rate.Limit) (*redis_rate.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	got, err := s.rates.Allow(ctx, key, l)
	if err != nil {
		return nil, fmt.Errorf("take from limit of sending: %w", err)
	}
	return got, nil
}

// key names the bucket of a rate.
func (s *Redis) key(c call, r rate) string {
	b := make([]byte, 0, 64)
	b = append(b, s.cfg.Prefix...)
	b = append(b, ":{limit:"...)
	b = strconv.AppendInt(b, c.bot, 10)
	b = append(b, "}:"...)
	b = append(b, r.name...)
	if !r.ofBot {
		b = append(b, ':')
		b = strconv.AppendInt(b, c.chat, 10)
	}
	return string(b)
}
