package limit

import (
	"context"
	"sync"
	"time"
)

// Local counts in this process, for where one process is all there is. Safe for
// concurrent use.
type Local struct {
	cfg Config

	mu      sync.Mutex
	buckets map[bucketKey]time.Time // when the bucket is full again
	blocks  map[bucketKey]time.Time // until when nothing goes
	refused map[int64]*refusals
	sweep   int // size of the maps at which what has passed is thrown out
}

type bucketKey struct {
	bot, chat int64
	name      string
}

// refusals are the chats of a bot that were told to wait within one second.
type refusals struct {
	since time.Time
	chats map[int64]struct{}
}

// leastSweep is the size from which on it is worth to look for what has passed.
const leastSweep = 1024

// NewLocal makes a limiter for one process; cfg must be valid.
func NewLocal(cfg Config) *Local {
	return &Local{
		cfg: cfg.withDefaults(), sweep: leastSweep,
		buckets: make(map[bucketKey]time.Time), blocks: make(map[bucketKey]time.Time), refused: make(map[int64]*refusals),
	}
}

// Wait returns when a message may go into the chat; chat 0 counts for the bot alone. A
// *LaterError says that this would take too long.
func (l *Local) Wait(ctx context.Context, bot, chat int64) error {
	if err := l.unblocked(ctx, bot, chat); err != nil {
		return err
	}
	waited := false
	for _, r := range l.cfg.rates(chat) {
		if r.n == 0 {
			continue
		}
		left, reserved := l.reserve(bot, chat, r)
		if !reserved {
			return &LaterError{After: left}
		}
		if left > 0 {
			if err := pause(ctx, left); err != nil {
				return err
			}
			waited = true
		}
	}
	if waited { // and meanwhile Telegram may have asked for more
		return l.unblocked(ctx, bot, chat)
	}
	return nil
}

// unblocked waits until neither the chat nor the bot is blocked.
func (l *Local) unblocked(ctx context.Context, bot, chat int64) error {
	for {
		left := l.blocked(bot, chat)
		if left <= 0 {
			return nil
		}
		if left > l.cfg.Patience {
			return &LaterError{After: left}
		}
		if err := pause(ctx, left); err != nil {
			return err
		}
	}
}

// Block holds the chat's messages back for d; for chat 0, all of the bot's.
func (l *Local) Block(_ context.Context, bot, chat int64, d time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.clean(now)
	if chat != 0 {
		l.hold(bucketKey{bot: bot, chat: chat}, now.Add(d))
		if !l.botWide(bot, chat, now) {
			return nil
		}
	}
	l.hold(bucketKey{bot: bot}, now.Add(d))
	return nil
}

// hold needs l.mu.
func (l *Local) hold(k bucketKey, until time.Time) {
	if until.After(l.blocks[k]) {
		l.blocks[k] = until
	}
}

// botWide needs l.mu.
func (l *Local) botWide(bot, chat int64, now time.Time) bool {
	r := l.refused[bot]
	if r == nil || now.Sub(r.since) > time.Second {
		r = &refusals{since: now, chats: make(map[int64]struct{})}
		l.refused[bot] = r
	}
	r.chats[chat] = struct{}{}
	return len(r.chats) >= l.cfg.BotWide
}

func (l *Local) blocked(bot, chat int64) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	until := l.blocks[bucketKey{bot: bot}]
	if chat != 0 && l.blocks[bucketKey{bot: bot, chat: chat}].After(until) {
		until = l.blocks[bucketKey{bot: bot, chat: chat}]
	}
	if until.IsZero() {
		return 0
	}
	return time.Until(until)
}

// reserve takes the next token of one bucket, and says how long until it is there. One
// that is too far away it leaves. Places are given in order of asking; who gives up
// leaves its place empty.
func (l *Local) reserve(bot, chat int64, r rate) (left time.Duration, reserved bool) {
	if r.name == "bot" {
		chat = 0
	}
	k := bucketKey{bot: bot, chat: chat, name: r.name}
	step := r.per / time.Duration(r.n)
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.clean(now)
	full := l.buckets[k]
	if full.Before(now) {
		full = now
	}
	full = full.Add(step)
	left = full.Sub(now) - time.Duration(max(r.burst, 1))*step
	if left > l.cfg.Patience {
		return left, false
	}
	l.buckets[k] = full
	return left, true
}

// clean throws out what has passed, once there is twice as much as the last time. It
// needs l.mu.
func (l *Local) clean(now time.Time) {
	if len(l.buckets)+len(l.blocks) < l.sweep {
		return
	}
	for _, m := range [...]map[bucketKey]time.Time{l.buckets, l.blocks} {
		for k, until := range m {
			if until.Before(now) {
				delete(m, k)
			}
		}
	}
	for bot, r := range l.refused {
		if now.Sub(r.since) > time.Second {
			delete(l.refused, bot)
		}
	}
	l.sweep = max(leastSweep, 2*(len(l.buckets)+len(l.blocks)))
}
