package turn

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/chatlane/chatlane/internal/queue"
)

// leaveNow makes the lane ask again at once and notice that its partition is gone.
const leaveNow = time.Nanosecond

func (t *task) settle(ctx context.Context, err error) queue.Next {
	v, attempt := t.r.cfg.judge(ctx, err, t.attempts, t.waits), t.attempts+1
	if v.storeFailed {
		t.r.breaker.fail(ctx, int(t.d.Partition), t.d.Lane, v.text)
	}
	if v.action == actDead {
		if derr := t.discard(ctx, discard{Reason: v.reason, Error: v.text, Detail: v.detail, Stack: v.stack, Attempts: attempt}); derr != nil {
			v = t.r.cfg.judge(ctx, derr, t.attempts, t.waits)
		}
	}
	trace.SpanFromContext(ctx).SetAttributes(attribute.String("chatlane.reason", v.reason))
	t.r.metrics.setbacks.WithLabelValues(v.reason).Inc()
	if v.action == actRetry || v.park {
		t.keepFirst(ctx)
	}
	switch v.action {
	case actDead:
		t.r.metrics.turns.WithLabelValues(outDead).Inc()
		t.countDeadline(false)
		t.logVerdict(ctx, slog.LevelError, "update is a dead letter", v, attempt)
		t.ackAll(ctx)
		return queue.Next{}
	case actRetry:
		t.countFailure(ctx)
		t.r.metrics.turns.WithLabelValues(outRetried).Inc()
		t.logVerdict(ctx, slog.LevelWarn, "attempt failed", v, attempt)
	case actWait:
		if v.reason == reasonLimited {
			t.r.held.add(t.d.Lane, time.Now().Add(v.after))
		}
		if t.waits == 0 {
			t.logVerdict(ctx, slog.LevelInfo, "lane waits", v, attempt)
		}
		t.waits++
		t.removeStartMarker(ctx)
		t.r.metrics.turns.WithLabelValues(outWaited).Inc()
	case actLeave, actCommit:
		t.removeStartMarker(ctx)
		t.r.metrics.turns.WithLabelValues(outLeft).Inc()
		return queue.Next{Again: leaveNow}
	}
	return queue.Next{Again: max(v.after, time.Nanosecond), Park: v.park}
}

// countFailure uses up an attempt, for later owners too, and voids the attempt's start marker.
func (t *task) countFailure(ctx context.Context) {
	t.attempts, t.waits, t.marked = t.attempts+1, 0, false
	if t.session == nil {
		return
	}
	if err := t.session.Fail(ctx, t.attempts); err != nil {
		t.r.log.DebugContext(ctx, "attempt not counted in the store", t.attrs(slog.String("error", err.Error()))...)
		return
	}
	t.r.results.of(t.position()).startEnded()
}

// firstIndex is the first attempt's time in the journal, kept for the next task when a lane is parked or moves.
const firstIndex = -3

// keepFirst writes nothing before the gates let the update pass: a journal entry tells later owners that they have.
func (t *task) keepFirst(ctx context.Context) {
	if t.session == nil || !t.admitted {
		return
	}
	if _, kept := t.session.Recall(firstIndex); kept {
		return
	}
	if err := t.session.Record(ctx, firstIndex, strconv.AppendInt(nil, t.first.UnixMilli(), 10)); err != nil {
		t.r.log.DebugContext(ctx, "time of the first attempt not kept", t.attrs(slog.String("error", err.Error()))...)
	}
}

func (t *task) recallFirst() {
	if raw, kept := t.session.Recall(firstIndex); kept {
		if ms, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
			t.first = time.UnixMilli(ms)
		}
	}
}

func (t *task) logVerdict(ctx context.Context, level slog.Level, msg string, v verdict, attempt int) {
	t.r.log.Log(ctx, level, msg, t.attrs( //nolint:sloglint // constant at each caller
		slog.String("reason", v.reason), slog.Int("attempt", attempt),
		slog.Duration("next_in", v.after), slog.String("error", v.text))...)
}
