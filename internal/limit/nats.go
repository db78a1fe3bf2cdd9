package limit

import (
	"context"
	"crypto/rand"
	"errors"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// NATS keeps the limits in a key-value bucket of the broker, for all workers that use it: one record for each
// bot and each chat that has rates, and one message for each block.
//
// A record is written by compare-and-set on the revision that this worker knows, which
// costs one round trip unless another worker wrote to it since. A refusal needs none:
// what is known of a record only grows, so a wait that is too long by an old record is
// too long by the newest.
//
// While the broker is away, each worker counts for itself and takes its share of the
// bot's limit: an equal part among the workers that sent for the bot of late.
type NATS struct {
	shared
	buckets *buckets // of this worker, while the broker is away
	known   *known
	outage  outage
}

// NewNATS makes a limiter on a bucket, which is made when it is first needed; cfg must
// be valid. The connection stays the caller's to close.
func NewNATS(js jetstream.JetStream, cfg Config) *NATS {
	cfg = cfg.withDefaults()
	b := newBucket(js, cfg)
	l := &NATS{
		shared: newShared(cfg, rand.Text()[:8]), buckets: newBuckets(cfg),
		known: newKnown(b), outage: outage{log: cfg.Logger},
	}
	l.board = &natsBoard{bucket: b}
	return l
}

func botKey(bot int64) string { return strconv.FormatInt(bot, 10) + ".bot" }

func chatKey(bot, chat int64) string {
	return strconv.FormatInt(bot, 10) + ".chat." + strconv.FormatInt(chat, 10)
}

// Wait implements [Limiter].
func (l *NATS) Wait(ctx context.Context, bot, chat int64, kind string) error {
	return l.wait(ctx, call{bot, chat, kind}, l.take)
}

// Block implements [Limiter]. This worker keeps the block through an outage.
func (l *NATS) Block(ctx context.Context, bot, chat int64, kind string, d time.Duration) error {
	err := l.shared.Block(ctx, bot, chat, kind, d)
	if errors.Is(err, errAway) {
		return nil
	}
	return err
}

// take takes a place of the chat, then one of the bot, and waits for each.
func (l *NATS) take(ctx context.Context, c call, r rates) (waited bool, err error) {
	if l.outage.ask() {
		waited, err = l.takeShared(ctx, c, r)
		if !l.outage.note(ctx, err) {
			return waited, err
		}
	}
	return l.buckets.take(ctx, c, l.share(c.bot, r))
}

func (l *NATS) takeShared(ctx context.Context, c call, r rates) (waited bool, err error) {
	chats, bots := r.split()
	waited, err = l.takeRecord(ctx, c, chatKey(c.bot, c.chat), chats)
	if err != nil {
		return waited, err
	}
	w, err := l.takeRecord(ctx, c, botKey(c.bot), bots)
	return waited || w, err
}

// takeRecord takes a place of each rate from one record, waits until they are there, and tells whether it had to.
func (l *NATS) takeRecord(ctx context.Context, c call, key string, r rates) (waited bool, err error) {
	if r == (rates{}) {
		return false, nil
	}
	for {
		var left time.Duration
		taken := false
		err := l.known.change(ctx, key, func(rec *record, now time.Time) bool {
			left = rec.reserve(r, now)
			if r[ofBot].n > 0 || r[bulkOfBot].n > 0 {
				rec.sent(l.worker, now)
			}
			taken = l.cfg.takes(c.kind, left)
			return taken
		})
		if err != nil {
			return waited, err
		}
		switch {
		case left > l.cfg.patience(c.kind):
			return waited, &LaterError{After: left}
		case left > 0:
			if err := pause(ctx, left); err != nil {
				return true, err
			}
			waited = true
		}
		if taken {
			return waited, nil
		}
	}
}

// share is what this worker may send while each counts for itself.
func (l *NATS) share(bot int64, r rates) rates {
	for _, i := range []int{ofBot, bulkOfBot} {
		if one := &r[i]; one.n > 0 {
			workers := l.known.senders(botKey(bot))
			one.n, one.burst = max(one.n/workers, 1), max(one.burst/workers, 1)
		}
	}
	return r
}

// errAway says that the broker gave no usable answer.
var errAway = errors.New("the broker does not keep the limits of sending")
