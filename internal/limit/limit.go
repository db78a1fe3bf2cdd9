// Package limit keeps bots below what Telegram takes. Replies are not held back before Telegram has
// asked to wait. A 429 blocks a chat, or the bot if several chats get it, for all workers; one that
// blocks a bot also halves the bot's pace, which then grows back slowly. Bulk messages stay under
// Telegram's figures for them, and behind replies. Fixed ceilings are a setting.
//
// [Redis] and [NATS] share blocks, ceilings and the bulk rates among all workers, [Local] has those of one
// process. A message makes no request to a server, except for a ceiling or the bulk rates. Workers ask for the
// blocks of the others every Config.Poll. No limiter reads the worker's wall clock: Redis and the
// broker give the time, and elapsed time is monotonic.
package limit

import (
	"context"
	"time"
)

// Kinds of calls that have rates. Each other kind is held by its own blocks alone.
const (
	Message = "message" // a reply: anything that appears as a message
	Bulk    = "bulk"    // a message to many
)

// Limiter holds calls back. Implementations are safe for concurrent use.
type Limiter interface {
	// Wait returns when a call may go into the chat; chat 0 is the bot alone. It fails with a
	// *LaterError if the wait would be longer than Config.Patience, or a minute for Bulk.
	Wait(ctx context.Context, bot, chat int64, kind string) error
	// Block holds calls of this kind into the chat back for d, or with chat 0 all of the bot's. It never
	// shortens an earlier block. Blocks of Message and Bulk are the same.
	Block(ctx context.Context, bot, chat int64, kind string, d time.Duration) error
	// Run learns what other workers are told, until ctx ends.
	Run(ctx context.Context)
}

var (
	_ Limiter = (*Local)(nil)
	_ Limiter = (*Redis)(nil)
	_ Limiter = (*NATS)(nil)
)

// call is what waits.
type call struct {
	bot, chat int64
	kind      string
}

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
