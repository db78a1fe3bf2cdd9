package limit

import (
	"context"
	"sync"
	"time"
)

// Local counts in one process. Safe for concurrent use.
type Local struct {
	cfg Config

	mu      sync.Mutex
	buckets map[bucketKey]time.Time // when the bucket is full again
	blocks  map[bucketKey]time.Time // until when nothing goes
	refused map[int64]*refusals
	prune   int // size of the maps at which to clean
}

type bucketKey struct {
	bot, chat int64
	name      string
}

type refusals struct {
	since time.Time
	chats map[int64]struct{}
}

// leastPrune is the size below which nothing is cleaned.
const leastPrune = 1024

// NewLocal makes a limiter for one process; cfg must be valid.
func NewLocal(cfg Config) *Local {
	return &Local{
		cfg: cfg.withDefaults(), prune: leastPrune,
		buckets: make(map[bucketKey]time.Time), blocks: make(map[bucketKey]time.Time), refused: make(map[int64]*refusals),
	}
}

// Wait implements [Limiter].
func (l *Local) Wait(ctx context.Context, bot, chat int64) error {
	return l.wait(ctx, bot, chat, l.cfg.rates(chat))
}

func (l *Local) wait(ctx context.Context, bot, chat int64, rates [3]rate) error {
	if err := l.unblocked(ctx, bot, chat); err != nil {
		return err
	}
	waited := false
	for _, r := range rates {
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
	if waited { // Telegram may have asked for more time
		return l.unblocked(ctx, bot, chat)
	}
	return nil
}

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

// Block implements [Limiter].
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

// reserve takes the next place of a bucket, unless it is too far away. Places go in the order of
// asking; a caller that gives up leaves its place empty.
func (l *Local) reserve(bot, chat int64, r rate) (left time.Duration, reserved bool) {
	if r.name == "bot" {
		chat = 0
	}
	k := bucketKey{bot: bot, chat: chat, name: r.name}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.clean(now)
	next, left := r.reserve(l.buckets[k], now)
	if left > l.cfg.Patience {
		return left, false
	}
	l.buckets[k] = next
	return left, true
}

// clean drops what has passed, once the maps have doubled. It needs l.mu.
func (l *Local) clean(now time.Time) {
	if len(l.buckets)+len(l.blocks) < l.prune {
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
	l.prune = max(leastPrune, 2*(len(l.buckets)+len(l.blocks)))
}
