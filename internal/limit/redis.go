package limit

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"
)

// Redis counts in Redis, for all workers that use it. A bot's keys share a hash tag,
// "<prefix>:{limit:<bot>}:...", and live no longer than they matter. Safe for concurrent use.
type Redis struct {
	cfg   Config
	redis redis.UniversalClient
	rates *redis_rate.Limiter
	block *redis.Script
}

// NewRedis makes a limiter on a Redis server or cluster; cfg must be valid.
func NewRedis(client redis.UniversalClient, cfg Config) *Redis {
	return &Redis{
		cfg: cfg.withDefaults(), redis: client,
		rates: redis_rate.NewLimiter(client), block: redis.NewScript(blockScript),
	}
}

// blockScript never shortens a block. KEYS: block of the chat, block of the bot, chats blocked
// lately. ARGV: ms, chat, chats that make it the bot's.
const blockScript = `
local function hold(key)
  if redis.call('PTTL', key) < tonumber(ARGV[1]) then redis.call('SET', key, 1, 'PX', ARGV[1]) end
end
if ARGV[2] == '0' then
  hold(KEYS[2])
  return 1
end
hold(KEYS[1])
redis.call('SADD', KEYS[3], ARGV[2])
if redis.call('PTTL', KEYS[3]) < 0 then redis.call('PEXPIRE', KEYS[3], 1000) end
if redis.call('SCARD', KEYS[3]) >= tonumber(ARGV[3]) then
  hold(KEYS[2])
  return 1
end
return 0
`

// Wait implements [Limiter].
func (s *Redis) Wait(ctx context.Context, bot, chat int64) error {
	if err := s.unblocked(ctx, bot, chat); err != nil {
		return err
	}
	waited := false
	for _, r := range s.cfg.rates(chat) {
		if r.n == 0 {
			continue
		}
		w, err := s.take(ctx, s.key(bot, chat, r.name), r)
		if err != nil {
			return err
		}
		waited = waited || w
	}
	if waited { // Telegram may have asked for more time
		return s.unblocked(ctx, bot, chat)
	}
	return nil
}

// Block implements [Limiter].
func (s *Redis) Block(ctx context.Context, bot, chat int64, d time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	keys := []string{s.key(bot, chat, "blocked:chat"), s.key(bot, 0, "blocked:bot"), s.key(bot, 0, "refused")}
	err := s.block.Run(ctx, s.redis, keys, max(d.Milliseconds(), 1), chat, s.cfg.BotWide).Err()
	if err != nil {
		return fmt.Errorf("block sending: %w", err)
	}
	return nil
}

func (s *Redis) unblocked(ctx context.Context, bot, chat int64) error {
	for {
		left, err := s.blocked(ctx, bot, chat)
		if err != nil || left <= 0 {
			return err
		}
		if left > s.cfg.Patience {
			return &LaterError{After: left}
		}
		if err := pause(ctx, left); err != nil {
			return err
		}
	}
}

func (s *Redis) blocked(ctx context.Context, bot, chat int64) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	var ofBot, ofChat *redis.DurationCmd
	_, err := s.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		ofBot = p.PTTL(ctx, s.key(bot, 0, "blocked:bot"))
		ofChat = p.PTTL(ctx, s.key(bot, chat, "blocked:chat"))
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("ask for blocked sending: %w", err)
	}
	return max(ofBot.Val(), ofChat.Val(), 0), nil
}

func (s *Redis) take(ctx context.Context, key string, r rate) (waited bool, err error) {
	limit := redis_rate.Limit{Rate: r.n, Burst: r.burst, Period: r.per}
	began := time.Now()
	for try := 0; ; try++ {
		got, err := s.allow(ctx, key, limit)
		if err != nil || got.Allowed > 0 {
			return waited, err
		}
		// Of all that wait for a bucket one gets the next token: a message asks less often the longer it waits.
		after := max(got.RetryAfter, time.Millisecond)
		after += rand.N(min(after<<min(try, 10), time.Second)) //nolint:gosec // spreads load, guards nothing
		if waits := time.Since(began); waits+after > s.cfg.Patience {
			return waited, &LaterError{After: max(got.RetryAfter, s.cfg.Patience/2) + rand.N(s.cfg.Patience)} //nolint:gosec // likewise
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

func (s *Redis) key(bot, chat int64, what string) string {
	b := make([]byte, 0, 64)
	b = append(b, s.cfg.Prefix...)
	b = append(b, ":{limit:"...)
	b = strconv.AppendInt(b, bot, 10)
	b = append(b, "}:"...)
	b = append(b, what...)
	if what != "bot" && chat != 0 {
		b = append(b, ':')
		b = strconv.AppendInt(b, chat, 10)
	}
	return string(b)
}
