package parking

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/chatlane/chatlane/internal/lane"
)

// pruneEvery is how often an owner looks for orphaned copies. Parking their lane prunes them earlier.
const pruneEvery = time.Minute

// PruneWhenDue looks for orphaned copies once a minute, in the background, for at most atMost.
// Only the term's own goroutine may call it.
func (l *Lanes) PruneWhenDue(ctx context.Context, atMost time.Duration) {
	if time.Since(l.pruned) <= pruneEvery {
		return
	}
	l.pruned = time.Now()
	l.background.Go(func() {
		ctx, stop := context.WithTimeout(ctx, atMost)
		defer stop()
		l.pruneAll(ctx)
	})
}

func (l *Lanes) pruneAll(ctx context.Context) {
	var keys []lane.Key
	s, err := l.stream(ctx)
	if err == nil {
		keys, err = l.list(ctx, s)
	}
	if err != nil {
		l.log.DebugContext(ctx, "orphaned copies not listed, trying again in a minute", slog.String("error", err.Error()))
	}
	for _, k := range keys {
		if l.parkedLane(k) == nil {
			l.pruneLane(ctx, k)
		}
	}
}

// pruneLane does nothing to a lane that is parked here.
func (l *Lanes) pruneLane(ctx context.Context, k lane.Key) (pruned bool) {
	p, fresh := l.enter(k)
	defer p.filling.Unlock()
	if !fresh {
		return false
	}
	defer l.unpark(k)
	pruned, err := l.prune(ctx, k)
	if err != nil {
		l.log.DebugContext(ctx, "orphaned copies not pruned, trying again in a minute", slog.String("lane", string(k)), slog.String("error", err.Error()))
	}
	return pruned
}

// prune removes the orphaned copies of a lane that the caller has entered afresh. A former owner
// wrote them after this term began; earlier copies are known. It confirms its pin before it
// acknowledges, so their originals are in UPDATES, or done.
//
// The order matters: read what is there, confirm the pin, remove no more than was read. If this
// owner is a former one itself by then, its successor's copies stay.
func (l *Lanes) prune(ctx context.Context, k lane.Key) (pruned bool, err error) {
	s, err := l.stream(ctx)
	if err != nil {
		return false, err
	}
	last, err := s.GetLastMsgForSubject(ctx, l.subject(k))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for orphaned copies of lane %s: %w", k, err)
	}
	if err := l.confirm(ctx); err != nil {
		return false, err
	}
	l.prunes.Add(1)
	if err := s.Purge(ctx, jetstream.WithPurgeSubject(l.subject(k)), jetstream.WithPurgeSequence(last.Sequence+1)); err != nil {
		return false, fmt.Errorf("prune lane %s: %w", k, err)
	}
	l.log.InfoContext(ctx, "orphaned copies of a former owner pruned", slog.String("lane", string(k)))
	return true, nil
}
