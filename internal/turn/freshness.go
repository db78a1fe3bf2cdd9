package turn

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// skipLate passes an update by for which an answer can have no effect any more: it is
// committed without one. Whoever is only late is answered.
func (t *task) skipLate(context.Context) (progress, error) {
	if t.isPointless() {
		t.outcome = outStale
	}
	return goOn, nil
}

// isPointless tells that nothing can come of an answer. A replay is asked for by a
// person: it always gets one.
func (t *task) isPointless() bool {
	limit := t.r.cfg.SkipAfter(t.d.Type)
	return limit > 0 && t.d.Age() > limit && t.d.Replay == 0
}

// deadline is when the update's answer is due; zero for never.
func (t *task) deadline() time.Time {
	within := t.r.cfg.AnswerWithin(t.d.Type)
	if within == 0 || t.d.Replay != 0 {
		return time.Time{}
	}
	return time.Now().Add(within - t.d.Age())
}

// countDeadline counts whether the update was answered in time, where its type has a
// deadline class.
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

// logSkippedEvery is how often a type's skipped updates are logged: an outage leaves many.
const logSkippedEvery = 10 * time.Second

// skippedLog collects the updates that were skipped until the next log line of their type.
type skippedLog struct {
	mu    sync.Mutex
	types map[string]*skippedType
}

type skippedType struct {
	logged time.Time
	count  int // since then
}

// countSkipped counts a skipped update, and logs it with those since the last line.
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
