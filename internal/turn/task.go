package turn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/queue"
)

// task is one update at the head of its lane, through all its attempts here. Its
// lane runs it, so no two goroutines do at once.
type task struct {
	r    *Runner
	d    *queue.Delivery
	keys fsm.Keys

	urgent  *urgentRun // nil where nothing happens beside the lane
	album   album
	end     func()       // of running
	running *runningTurn // nil where no urgent update can cancel it

	timer       timerWish // of the last attempt
	first       time.Time // of the first attempt here
	attempts    int       // failed ones, earlier owners' included
	waits       int       // in a row, nobody's fault
	openWait    time.Duration
	startMarked bool    // as begun, here
	passed      bool    // the gates, here
	discarded   discard // why it dies; zero while it runningTurns
}

func (t *task) position() position { return position{stream: t.d.Stream, seq: t.d.Seq} }

func (t *task) urgentPosition() position {
	return position{stream: t.d.Stream, seq: t.d.Seq, urgent: true}
}

// run is one attempt, or the wait for a store that does not answer.
func (t *task) run(ctx context.Context) queue.Next {
	wait, probe := t.r.breaker.enter(int(t.d.Partition), t.d.Lane)
	if wait > 0 {
		return queue.Next{Again: wait}
	}
	if t.openWait = t.r.cfg.OpenWait; probe != nil {
		defer t.r.breaker.leave(probe)
		t.openWait = min(t.openWait, probeWait)
	}
	if wait := t.gather(ctx); wait > 0 {
		return queue.Next{Again: wait}
	}
	if t.first.IsZero() {
		t.first = time.Now()
	}
	traced := t.d.Context(ctx, t.r.carrier)
	traced, span := t.r.tracer.Start(traced, "turn.run", trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		attribute.Int64("chatlane.bot", t.d.Scope.Bot), attribute.String("chatlane.lane", string(t.d.Lane)),
		attribute.Int64("chatlane.update.id", t.d.ID), attribute.String("chatlane.update.type", t.d.Type),
		attribute.Int("chatlane.attempt", t.attempts+1)))
	defer span.End()
	end := t.live(ctx)
	next, err := t.attempt(traced)
	if next.Again == 0 || next.Park {
		end()
	}
	if next.Again == 0 && !next.Park {
		t.r.results.forget(t.position())
		if t.urgent != nil {
			t.r.results.forget(t.urgentPosition())
		}
	}
	if err != nil {
		span.SetStatus(codes.Error, "attempt failed") // settle says why; an error may quote the update
	}
	return next
}

// attempt opens the session, answers, and carries the verdict out.
func (t *task) attempt(ctx context.Context) (queue.Next, error) {
	began := time.Now()
	if err := t.awaitUrgent(ctx); err != nil {
		return t.settle(ctx, nil, err)
	}
	if !t.d.Inherited {
		if err := t.admitted(ctx); err != nil {
			return t.refused(ctx, nil, err)
		}
	}
	s, err := t.open(ctx)
	t.storeAnswered(ctx, err)
	if err != nil {
		return t.settle(ctx, nil, err)
	}
	defer t.close(ctx, s)
	t.attempts = max(t.attempts, s.Attempts())
	if s.Done() {
		t.r.log.DebugContext(ctx, "update was done already", t.attrs(slog.String("by", s.DoneBy()))...)
		return t.skip(ctx, s, outDone)
	}
	if t.passed = t.passed || s.Begun(); !t.passed { // what was begun elsewhere is not dropped half way
		if err := t.admitted(ctx); err != nil {
			return t.refused(ctx, s, err)
		}
	}
	s.Also(t.album.ids()...)
	if note, discardedBefore := t.discardedBefore(s); discardedBefore {
		return t.finishDiscard(ctx, s, note)
	}
	if err := t.retryUrgent(ctx); err != nil {
		return t.settle(ctx, s, err)
	}
	if t.running.isCancelled() {
		return t.skip(ctx, s, outCancelled)
	}
	done, err := t.begin(ctx, s)
	if err != nil {
		return t.settle(ctx, s, err)
	}
	defer done()
	outcome, err := t.answer(ctx, s)
	if outcome == outCancelled {
		return t.skip(ctx, s, outCancelled)
	}
	if err == nil || errors.Is(err, bot.ErrUnhandled) {
		if err = t.commit(ctx, s); err == nil {
			t.storeAnswered(ctx, nil)
			t.ackAll(ctx)
			t.r.metrics.committed(outcome, time.Since(began), t.d.Age())
			return queue.Next{}, nil
		}
	}
	return t.settle(ctx, s, err)
}

// refused carries out what a gate says. The session is nil where it is not open yet.
func (t *task) refused(ctx context.Context, s *fsm.Session, err error) (queue.Next, error) {
	if !errors.Is(err, bot.ErrDropped) {
		return t.settle(ctx, s, err)
	}
	t.r.metrics.turns.WithLabelValues(outDropped).Inc()
	t.ackAll(ctx)
	return queue.Next{}, nil
}

// skip moves the cursor past an update that gets no answer.
func (t *task) skip(ctx context.Context, s *fsm.Session, outcome string) (queue.Next, error) {
	t.r.metrics.turns.WithLabelValues(outcome).Inc()
	if err := s.CommitCursor(ctx); err != nil {
		return t.settle(ctx, s, err)
	}
	if s.Done() {
		t.ack(ctx) // of the parts behind it nobody knows whether they are done
	} else {
		t.ackAll(ctx)
	}
	return queue.Next{}, nil
}

func (t *task) open(ctx context.Context) (*fsm.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, t.openWait)
	defer cancel()
	s, err := t.r.deps.Store.Open(ctx, t.keys, storePosition(t.d))
	if err != nil {
		return nil, fmt.Errorf("open lane %s: %w", t.d.Lane, err)
	}
	return s, nil
}

// storeAnswered tells the breaker that the store has answered, unless err says that it has
// not; who was cancelled may have heard nothing. Failures are struck by settle.
func (t *task) storeAnswered(ctx context.Context, err error) {
	if err == nil || ctx.Err() == nil && !storeFailed(err) {
		t.r.breaker.answer(ctx, int(t.d.Partition))
	}
}

// settle carries out the verdict on a failed attempt. The session may be nil.
func (t *task) settle(ctx context.Context, s *fsm.Session, err error) (queue.Next, error) {
	if ctx.Err() == nil && storeFailed(err) {
		t.r.breaker.strike(ctx, int(t.d.Partition), t.d.Lane, err)
	}
	v := t.r.cfg.judge(ctx, err, t.attempts, t.waits)
	if v.action == actDead {
		if derr := t.discardUpdate(ctx, s, discard{Reason: v.reason, Error: err.Error(), Stack: stackOf(err), Attempts: t.attempts + 1}); derr != nil {
			v = t.r.cfg.judge(ctx, derr, t.attempts, t.waits)
		}
	}
	trace.SpanFromContext(ctx).SetAttributes(attribute.String("chatlane.reason", v.reason))
	t.r.metrics.setbacks.WithLabelValues(v.reason).Inc()
	switch v.action {
	case actDead:
		t.r.metrics.turns.WithLabelValues(outDead).Inc()
		t.log(ctx, slog.LevelError, "update is a dead letter", v, err)
		t.ackAll(ctx)
		return queue.Next{}, err
	case actRetry:
		t.attempts, t.waits, t.startMarked = t.attempts+1, 0, false
		if s != nil {
			if ferr := s.Fail(ctx, t.attempts); ferr != nil {
				t.r.log.DebugContext(ctx, "attempt not noted", t.attrs(slog.String("error", ferr.Error()))...)
			} else {
				t.r.results.of(t.position()).clearStart() // the note of its start stands for nothing now
			}
		}
		t.r.metrics.turns.WithLabelValues(outRetried).Inc()
		t.log(ctx, slog.LevelWarn, "attempt failed", v, err)
	case actWait:
		if t.waits == 0 {
			t.log(ctx, slog.LevelInfo, "lane waits", v, err)
		}
		t.waits++
		t.unmarkStart(ctx, s)
		t.r.metrics.turns.WithLabelValues(outWaited).Inc()
	case actLeave, actCommit:
		t.unmarkStart(ctx, s)
		t.r.metrics.turns.WithLabelValues(outLeft).Inc()
		return queue.Next{Again: time.Nanosecond}, err // not done; the lane notices that it is over
	}
	return queue.Next{Again: max(v.after, time.Nanosecond), Park: v.park}, err
}

// ack tells the broker; a failure costs one redelivery, which is skipped.
func (t *task) ack(ctx context.Context) {
	if err := t.d.Ack(ctx); err != nil {
		t.r.metrics.ackErrors.Inc()
	}
}

// close gives the lock back, also when ctx has ended.
func (t *task) close(ctx context.Context, s *fsm.Session) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.r.log.DebugContext(ctx, "lock not released, it expires", t.attrs(slog.String("error", err.Error()))...)
	}
}

func (t *task) log(ctx context.Context, level slog.Level, msg string, v verdict, err error) {
	t.r.log.Log(ctx, level, msg, t.attrs( //nolint:sloglint // constant at each caller
		slog.String("reason", v.reason), slog.Int("attempt", t.attempts),
		slog.Duration("next_in", v.after), slog.String("error", err.Error()))...)
}

func (t *task) attrs(more ...any) []any {
	return append([]any{
		slog.Int64("bot", t.d.Scope.Bot), slog.String("lane", string(t.d.Lane)),
		slog.Int64("update", t.d.ID), slog.Uint64("seq", t.d.Seq),
	}, more...)
}

// recovered turns a panic outside the router into the error that the router makes of one.
func recovered(v any) error { return &bot.PanicError{Value: v, Stack: debug.Stack()} }
