package limit

import (
	"context"
	"sync"
	"time"
)

// Local has the limits of one process.
type Local struct {
	*pacer
	buckets *buckets
}

// NewLocal makes a limiter for one process; cfg must be valid.
func NewLocal(cfg Config) *Local {
	cfg = cfg.withDefaults()
	return &Local{pacer: newPacer(cfg), buckets: newBuckets(cfg)}
}

// Wait implements [Limiter].
func (l *Local) Wait(ctx context.Context, bot, chat int64, kind string) error {
	return l.wait(ctx, call{bot, chat, kind}, l.buckets.take)
}

// Block implements [Limiter].
func (l *Local) Block(ctx context.Context, bot, chat int64, kind string, d time.Duration) error {
	l.block(ctx, call{bot, chat, kind}, d)
	return nil
}

// Run implements [Limiter]: there is nobody to learn from.
func (l *Local) Run(context.Context) {}

// buckets are those of one process.
type buckets struct {
	cfg Config

	mu    sync.Mutex
	full  map[bucketKey]time.Time // when the bucket is full again
	prune int
}

type bucketKey struct {
	bot, chat int64
	name      string
}

func newBuckets(cfg Config) *buckets {
	return &buckets{cfg: cfg, full: make(map[bucketKey]time.Time), prune: leastPrune}
}

// take takes a place of each rate, one after the other, and waits for it.
func (b *buckets) take(ctx context.Context, c call, rates rates) (waited bool, err error) {
	for _, r := range rates {
		if r.n == 0 {
			continue
		}
		for {
			left, taken := b.reserve(c, r)
			if left > b.cfg.patience(c.kind) {
				return waited, &LaterError{After: left}
			}
			if left > 0 {
				if err := pause(ctx, left); err != nil {
					return true, err
				}
				waited = true
			}
			if taken {
				break
			}
		}
	}
	return waited, nil
}

// reserve takes the next place of one bucket, and says how long until it is there. A place too far away is
// not taken. Places are given in the order of asking; a caller that gives up leaves its place empty.
func (b *buckets) reserve(c call, r rate) (left time.Duration, taken bool) {
	k := bucketKey{bot: c.bot, chat: c.chat, name: r.name}
	if r.ofBot {
		k.chat = 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.clean(now)
	next, left := r.reserve(b.full[k], now)
	if !b.cfg.takes(c.kind, left) {
		return left, false
	}
	b.full[k] = next
	return left, true
}

// clean needs b.mu.
func (b *buckets) clean(now time.Time) {
	if len(b.full) < b.prune {
		return
	}
	for k, full := range b.full {
		if full.Before(now) {
			delete(b.full, k)
		}
	}
	b.prune = max(leastPrune, 2*len(b.full))
}
