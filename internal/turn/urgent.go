package turn

import (
	"context"
	"errors"
	"sync"

	"go.opentelemetry.io/otel/trace"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/queue"
)

// urgentRuns is what the urgent runs of a worker share.
type urgentRuns struct {
	types   bot.Type      // that may be urgent; 0 for most bots, which pay nothing
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

// wants tells whether an update might be urgent, by its type alone.
func (u *urgentRuns) wants(d *queue.Delivery) bool {
	return u != nil && u.types != 0 && u.types&bot.TypeOf(d.Type) != 0
}

// Wait returns when no urgent handler runs any more. They end with the work of
// their partitions.
func (r *Runner) Wait() { r.urgent.running.Wait() }

// urgentRun is the run of an update's urgent handler when the update arrives, in parallel
// to its lane. The lane's turn of the update waits for its end, and only then
// acknowledges: docs/decisions/0007-urgent-updates.md.
type urgentRun struct {
	done    chan struct{} // closed at its end; what follows is the lane's from then on
	gates   error         // what the gates said
	asked   bool          // the gates were asked, and the lane has not used what they said
	err     error         // of the one attempt in parallel; the lane makes the others
	settled bool          // the urgent handler has succeeded, or there is none
}

// startUrgent starts the urgent run of an update that might be urgent.
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

// awaitUrgent waits for the end of the urgent run. It comes before the partition's
// breaker: other lanes wait for a probe, so that a probe must not wait for a handler.
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

// retryUrgent makes the urgent run succeed before the lane's own turn of the update: its
// failure counts as the lane's, and the lane's further attempts repeat it.
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

// runUrgent runs the urgent handler that takes the update. With settled it need not run again.
func (t *task) runUrgent(ctx context.Context) (settled bool, err error) {
	if t.isPointless() {
		return true, nil
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
	err = t.attemptUrgent(ctx, p)
	outcome := urgentDone
	if err != nil {
		outcome = urgentFailed
	}
	t.r.metrics.urgent.WithLabelValues(outcome).Inc()
	return err == nil, err
}
