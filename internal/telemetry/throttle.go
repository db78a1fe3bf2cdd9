package telemetry

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// A throttled logger writes so many lines of one kind per period.
const (
	throttleBurst = 20
	throttleEvery = 10 * time.Second
)

// Throttled is log for lines that somebody outside can cause: an update, a request, an answer.
// Of one kind, which is one message with one value of its attribute "reason", it writes 20
// lines in 10 s, counts the others, and says with the next line how many it suppressed.
// Debug lines all pass. Messages and reasons must be of closed sets.
func Throttled(log *slog.Logger) *slog.Logger {
	return slog.New(&throttle{next: log.Handler(), kinds: &kinds{all: make(map[kind]*lines)}})
}

type throttle struct {
	next  slog.Handler
	kinds *kinds
}

type kind struct{ message, reason string }

type kinds struct {
	mu  sync.Mutex
	all map[kind]*lines
}

// lines are those of one kind in one period.
type lines struct {
	since               time.Time
	written, suppressed int
}

func (t *throttle) Enabled(ctx context.Context, l slog.Level) bool { return t.next.Enabled(ctx, l) }

func (t *throttle) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &throttle{next: t.next.WithAttrs(attrs), kinds: t.kinds}
}

func (t *throttle) WithGroup(name string) slog.Handler {
	return &throttle{next: t.next.WithGroup(name), kinds: t.kinds}
}

func (t *throttle) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelInfo {
		return t.next.Handle(ctx, r)
	}
	suppressed, ok := t.kinds.allow(kindOf(r), r.Time)
	if !ok {
		return nil
	}
	if suppressed > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int("suppressed", suppressed))
	}
	return t.next.Handle(ctx, r)
}

func kindOf(r slog.Record) kind {
	k := kind{message: r.Message}
	r.Attrs(func(a slog.Attr) bool {
		if a.Key != "reason" {
			return true
		}
		k.reason = a.Value.String()
		return false
	})
	return k
}

// allow tells whether to write one more line, and how many were suppressed before it.
func (k *kinds) allow(of kind, now time.Time) (suppressed int, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.all[of]
	if l == nil {
		l = &lines{since: now}
		k.all[of] = l
	}
	if now.Sub(l.since) >= throttleEvery {
		suppressed = l.suppressed
		*l = lines{since: now}
	}
	if l.written >= throttleBurst {
		l.suppressed++
		return 0, false
	}
	l.written++
	return suppressed, true
}
