package turn

import (
	"context"
	"errors"
	"sync"

	"go.opentelemetry.io/otel/trace"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/queue"
)

type urgentRuns struct {
	types   bot.Type      // types that may be urgent; 0 for most bots, which pay nothing
	slots   chan struct{} // bounds how many run at once
	running sync.WaitGroup
}

func newUrgentRuns(p *bot.Program, most int) *urgentRuns {
	u := &urgentRuns{}
	if p != nil && p.UrgentTypes() != 0 {
		u.types, u.slots = p.UrgentTypes(), make(chan struct{}, most)
	}
	return u
}

func (u *urgentRuns) wants(d *queue.Delivery) bool {
	return u != nil && u.types != 0 && u.types&bot.TypeOf(d.Type) != 0
}

// Wait blocks until no urgent handler runs. They end with the work of their partitions.
func (r *Runner) Wait() { r.urgent.running.Wait() }

// urgentRun is an update's urgent handler, run on arrival in parallel to its lane. The lane's turn
// waits for it before it acknowledges: docs/decisions/0007-urgent-updates.md.
type urgentRun struct {
	done    chan struct{} // closed at its end; the lane owns the rest from then on
	gates   error
	asked   bool           // gates holds a verdict that the lane has not used
	err     error          // of the attempt in parallel; the lane makes the others
	settled bool           // the urgent handler has succeeded, or there is none
	did     bool           // the urgent handler has succeeded
	entries map[int][]byte // its journal after an attempt that failed
}

func (t *task) startUrgent() {
	shared := t.r.urgent
	if !shared.wants(t.d) {
		return
	}
	u := &urgentRun{done: make(chan struct{})}
	t.urgent = u
	shared.running.Go(func() {
		defer close(u.done)
		ctx := t.d.Work()
		select {
		case shared.slots <- struct{}{}:
			defer func() { <-shared.slots }()
		case <-ctx.Done():
			u.err = context.Cause(ctx)
			return
		}
		u.gates, u.asked = t.gates(ctx), true
		if u.gates == nil {
			u.settled, u.err = t.runUrgent(ctx)
		}
	})
}

// awaitUrgent comes before the breaker: other lanes wait for a probe, so a probe must not wait for a handler.
func (t *task) awaitUrgent(ctx context.Context) error {
	if t.urgent == nil {
		return nil
	}
	select {
	case <-t.urgent.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// retryUrgent repeats a failed urgent run. Its failure uses up an attempt of the lane.
func (t *task) retryUrgent(ctx context.Context) (progress, error) {
	u := t.urgent
	if u == nil || u.settled {
		return goOn, nil
	}
	if err := u.err; err != nil {
		u.err = nil
		return goOn, err
	}
	var err error
	u.settled, err = t.runUrgent(ctx)
	return goOn, err
}

// runUrgent need not be repeated if settled.
func (t *task) runUrgent(ctx context.Context) (settled bool, err error) {
	kept, err := t.brought()
	if err != nil || t.isPointless() || kept.UrgentDone {
		return true, nil // of an unreadable journal the lane's own turn says so
	}
	ctx, span := t.r.tracer.Start(t.d.Context(ctx, t.r.carrier), "turn.urgent", trace.WithSpanKind(trace.SpanKindConsumer))
	defer span.End()
	p, err := t.parts(ctx)
	if errors.Is(err, ErrUndecoded) || errors.Is(err, ErrNoBot) {
		return true, nil // the lane's own turn fails with it
	}
	if err != nil {
		return false, err
	}
	if !t.r.deps.Program.IsUrgent(ctx, bot.NewTurn(p)) {
		return true, nil
	}
	err = t.attemptUrgent(ctx, p, kept.Urgent)
	t.urgent.did = err == nil
	outcome := urgentDone
	if err != nil {
		outcome = urgentFailed
	}
	t.r.metrics.urgent.WithLabelValues(outcome).Inc()
	return err == nil, err
}
