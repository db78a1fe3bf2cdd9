package limit

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/redis/go-redis/v9"
)

// Held tells which of these bots Telegram has told to wait, and for how long from now. Chats that wait
// alone are not in it.
func (s *Redis) Held(ctx context.Context, bots []int64) (map[int64]time.Duration, error) {
	left := make(map[int64]*redis.DurationCmd, len(bots))
	_, err := s.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, bot := range bots {
			left[bot] = p.PTTL(ctx, s.key(bot, 0, "blocked:bot"))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ask for bots that are held back: %w", err)
	}
	held := make(map[int64]time.Duration)
	for bot, cmd := range left {
		held[bot] = cmd.Val()
	}
	return waiting(held), nil
}

// Held tells which of these bots Telegram has told to wait, and for how long from now. It makes the
// bucket if there is none.
func (l *NATS) Held(ctx context.Context, bots []int64) (map[int64]time.Duration, error) {
	held := make(map[int64]time.Duration)
	for _, bot := range bots {
		if err := l.known.refresh(ctx, botKey(bot)); err != nil {
			return nil, fmt.Errorf("ask for bots that are held back: %w", err)
		}
		held[bot] = l.known.blocked(botKey(bot))
	}
	return waiting(held), nil
}

// waiting leaves out what waits for nothing.
func waiting(held map[int64]time.Duration) map[int64]time.Duration {
	maps.DeleteFunc(held, func(_ int64, left time.Duration) bool { return left <= 0 })
	return held
}
