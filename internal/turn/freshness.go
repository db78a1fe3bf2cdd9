package turn

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// skipLate commits an update without an answer if none can have an effect. Updates merely late are answered.
func (t *task) skipLate(context.Context) (progress, error) {
	if t.isPointless() {
		t.outcome = outStale
	}
	return goOn, nil
}

// isPointless is false for a replay: a person asked for it.
func (t *task) isPointless() bool {
	limit := t.r.cfg.SkipAfter(t.d.Type)
	age := t.d.Age()
	return limit > 0 && age > limit && t.d.Replay == 0 && !t.r.held.after(t.d.Lane, time.Now().Add(-age))
}

// deadline is zero for never.
func (t *task) deadline() time.Time {
	within := t.r.cfg.AnswerWithin(t.d.Type)
	if within == 0 || t.d.Replay != 0 {
		return time.Time{}
	}
	return time.Now().Add(within - t.d.Age())
}

func (t *task) countDeadline(answered bool) {
	within := t.r.cfg.AnswerWithin(t.d.Type)
	if within == 0 || t.d.Replay != 0 {
		return
	}
	result := deadlineMet
	if !answered || t.d.Age() > within {
		result = deadlineMissed
	}
	t.r.metrics.deadlines.WithLabelValues(t.d.Type, result).Inc()
}

// logSkippedEvery bounds the log lines of a type: an outage leaves many skipped updates.
const logSkippedEvery = 10 * time.Second

type skippedLog struct {
	mu    sync.Mutex
	types map[string]*skippedType
}

type skippedType struct {
	logged time.Time
	count  int // since then
}

func (t *task) countSkipped(ctx context.Context) {
	t.r.metrics.skipped.WithLabelValues(t.d.Type).Inc()
	l := &t.r.skipped
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.types == nil {
		l.types = make(map[string]*skippedType)
	}
	s := l.types[t.d.Type]
	if s == nil {
		s = &skippedType{}
		l.types[t.d.Type] = s
	}
	if s.count++; time.Since(s.logged) < logSkippedEvery {
		return
	}
	t.r.log.WarnContext(ctx, "updates skipped: they waited until an answer could have no effect", t.attrs(
		slog.String("type", t.d.Type), slog.Int("count", s.count), slog.String("age", t.d.Age().Round(time.Millisecond).String()))...)
	s.logged, s.count = time.Now(), 0
}
