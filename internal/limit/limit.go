// Package limit keeps bots below Telegram's limits of sending: by second for a bot and a chat, by minute for a group,
// and none while Telegram has asked to wait. [Redis] and [NATS] count for all workers together, [Local] for one
// process. Each keeps a token bucket per chat, group and bot. A message that waits for its chat takes no place of the
// bot. No limiter reads the worker's wall clock: Redis and the broker give the time, and elapsed time is monotonic.
package limit

import (
	"context"
	"time"
)

// Limiter holds messages back. Implementations are safe for concurrent use.
type Limiter interface {
	// Wait returns when a message may go into the chat; chat 0 counts for the bot alone. It fails with
	// a *LaterError instead of waiting longer than Config.Patience.
	Wait(ctx context.Context, bot, chat int64) error
	// Block holds back the chat, or with chat 0 the bot. It never shortens an earlier block.
	Block(ctx context.Context, bot, chat int64, d time.Duration) error
}

var (
	_ Limiter = (*Local)(nil)
	_ Limiter = (*Redis)(nil)
	_ Limiter = (*NATS)(nil)
)

// LaterError means that a message would have to wait for longer than Config.Patience.
type LaterError struct{ After time.Duration }

func (e *LaterError) Error() string {
	return "held back by the limits of sending, for " + e.After.Round(time.Millisecond).String()
}

// RetryAfter is when to ask again.
func (e *LaterError) RetryAfter() time.Duration { return e.After }

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
