// Package limit keeps bots below Telegram's limits of sending: so many messages a
// second for a bot, so many for a chat, so many a minute for a group, and none while
// Telegram has asked to wait.
//
// [Redis] and [NATS] count for all workers together, [Local] for one process. Each
// keeps a token bucket per chat, per group and per bot. A message that waits for its
// chat has not yet taken a place of the bot. No limiter reads the worker's wall clock:
// Redis and the broker give the time, and elapsed time is monotonic.
package limit

import (
	"context"
	"time"
)

// Limiter holds messages back. Implementations are safe for concurrent use.
type Limiter interface {
	// Wait returns when a message may go into the chat. Chat 0 counts for the bot
	// alone. It fails with a *LaterError where the wait would be
	// longer than Config.Patience.
	Wait(ctx context.Context, bot, chat int64) error
	// Block holds the chat's messages back for d, or with chat 0 all of the bot's.
	// A later block never shortens an earlier one.
	Block(ctx context.Context, bot, chat int64, d time.Duration) error
}

var (
	_ Limiter = (*Local)(nil)
	_ Limiter = (*Redis)(nil)
	_ Limiter = (*NATS)(nil)
)

// LaterError says that a message would have to wait for longer than Config.Patience.
type LaterError struct{ After time.Duration }

// Error gives the time.
func (e *LaterError) Error() string {
	return "held back by the limits of sending, for " + e.After.Round(time.Millisecond).String()
}

// RetryAfter is when to ask again.
func (e *LaterError) RetryAfter() time.Duration { return e.After }

// pause waits for d, or for the end of ctx.
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
