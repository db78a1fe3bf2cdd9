package turn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/queue"
)

// urgentRuns is what turns beside their lanes share.
type urgentRuns struct {
	types   bot.Type      // that may be urgent; 0 for most bots, which pay nothing
	slots   chan struct{} // bounds how many run at once
	running sync.WaitGroup
}

func newUrgentRuns(r *bot.Router, most int) *urgentRuns {
	u := &urgentRuns{}
	if r != nil && r.HasUrgent() {
		u.types, u.slots = r.UrgentTypes(), make(chan struct{}, most)
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

// urgentRun is what of an update happens beside its lane, when it arrives. The lane's
// turn of the update waits for its end, so that the update is acknowledged after it.
type urgentRun struct {
	done     chan struct{}
	admitted error // what the gates said
	asked    bool  // and the lane has not heard it yet
	err      error // of the one attempt; the lane makes the others
	settled  bool  // the urgent handler has been run, or there is none
}

// startUrgent starts what happens beside the lane, for an update that might be urgent.
func (t *task) startUrgent() {
	u := t.r.urgent
	if !u.wants(t.d) {
		return
	}
	b := &urgentRun{done: make(chan struct{})}
	t.urgent = b
	u.running.Go(func() {
		defer close(b.done)
		ctx := t.d.Work()
		select {
		case u.slots <- struct{}{}:
			defer func() { <-u.slots }()
		case <-ctx.Done():
			b.err = context.Cause(ctx)
			return
		}
		b.admitted, b.asked = t.admit(ctx), true
		if b.admitted == nil {
			b.settled, b.err = t.runUrgent(ctx)
		}
	})
}

// awaitUrgent waits for what happens beside the lane.
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

// retryUrgent sees to it that the urgent handler has been run before the lane's turn of
// its update: what failed beside the lane is tried again in it.
func (t *task) retryUrgent(ctx context.Context) error {
	b := t.urgent
	if b == nil || b.settled {
		return nil
	}
	if err := b.err; err != nil {
		b.err = nil
		return err
	}
	var err error
	b.settled, err = t.runUrgent(ctx)
	return err
}

// runUrgent runs the urgent handler that takes the update. Settled says that it need not
// be run again.
func (t *task) runUrgent(ctx context.Context) (settled bool, err error) {
	if t.stale() {
		return true, nil
	}
	ctx, span := t.r.tracer.Start(t.d.Context(ctx, t.r.carrier), "turn.urgent", trace.WithSpanKind(trace.SpanKindConsumer))
	defer span.End()
	p, err := t.parts(ctx)
	if errors.Is(err, ErrUndecoded) || errors.Is(err, ErrNoBot) {
		return true, nil // the lane's turn will say so
	}
	if err != nil {
		return false, err
	}
	if !t.r.deps.Router.IsUrgent(ctx, bot.NewTurn(p)) {
		return true, nil
	}
	err = t.urgentAttempt(ctx, p)
	outcome := urgentDone
	if err != nil {
		outcome = urgentFailed
	}
	t.r.metrics.urgent.WithLabelValues(outcome).Inc()
	return err == nil, err
}

// urgentAttempt is one attempt of the urgent handler, once for each update: it has a record
// of its own in the store, with its journal and its cursor.
func (t *task) urgentAttempt(ctx context.Context, p bot.Parts) error {
	opening, cancel := context.WithTimeout(ctx, t.r.cfg.OpenWait)
	defer cancel()
	s, err := t.r.deps.Store.Open(opening, t.urgentKeys(), storePosition(t.d))
	if err != nil {
		return fmt.Errorf("open urgent turn in lane %s: %w", t.d.Lane, err)
	}
	defer t.close(ctx, s)
	if s.Done() {
		return nil
	}
	own := t.r.results.of(t.urgentPosition()) // an earlier term's too, which ended before the lock was free
	unmark, err := t.markUrgentStart(ctx, s, own)
	if err != nil {
		return err
	}
	defer unmark()
	calls := t.r.deps.Client.Turn(t.r.deps.Bots[t.d.Scope.Bot].Token, own.journal(s), arounds(t.r.deps.Router))
	var stopped cancelledTurns
	p.API, p.Call, p.Once, p.File = calls.Bot(), calls.Call, calls.Once, calls.File
	p.CancelRunning = func() { stopped.add(t.r.running.interrupt(t.d.Lane, t.d.Seq)) }
	err = t.supervise(ctx, s, calls, func(ctx context.Context) error { return t.r.deps.Router.AnswerUrgent(ctx, bot.NewTurn(p)) })
	if err != nil && !errors.Is(err, bot.ErrUnhandled) {
		t.r.log.WarnContext(ctx, "urgent handler failed, the lane tries it again", t.attrs(slog.String("error", err.Error()))...)
		return err
	}
	stopped.wait(ctx, t.r.cfg.Deadline)
	return s.Commit(ctx)
}

// markUrgentStart is begin for an urgent handler, in the journal of its own record: it ends
// its worker before the lane's turn could count anything.
func (t *task) markUrgentStart(ctx context.Context, s *fsm.Session, own *cached) (unmark func(), err error) {
	n := unendedStarts(s) - own.ownStarts(s)
	switch {
	case !t.d.Inherited && n == 0:
		return func() {}, nil
	case n >= maxStarts:
		return nil, fmt.Errorf("%w: %d times, in its urgent handler", ErrCrashed, n)
	}
	own.markStart(s)
	if err := t.markStarts(ctx, s, n+1); err != nil {
		return nil, err
	}
	return func() { // after a commit the record takes no more
		ctx, cancel := fsm.CleanUp(ctx)
		defer cancel()
		if t.markStarts(ctx, s, n) == nil {
			own.clearStart()
		}
	}, nil
}

// urgentKeys name a record for this update alone: urgent turns of a lane pass each
// other, so that no cursor could tell which of them are done.
func (t *task) urgentKeys() fsm.Keys {
	id := "!u" + strconv.FormatInt(t.d.ID, 10)
	if t.d.Replay != 0 || t.d.ID == 0 {
		id = "!s" + strconv.FormatUint(t.d.Seq, 10)
	}
	return fsm.Keys{Lane: t.keys.Lane + id, Home: t.keys.Home}
}

// cancelledTurns are the turns that an urgent handler has cancelled.
type cancelledTurns struct {
	mu  sync.Mutex
	all []*runningTurn
}

func (v *cancelledTurns) add(one *runningTurn) {
	if one == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.all = append(v.all, one)
}

// wait returns when the cancelled turns are over. Were the urgent turn committed
// before, a crash in between would bring the cancelled one back with nobody left to
// cancel it.
func (v *cancelledTurns) wait(ctx context.Context, limit time.Duration) {
	v.mu.Lock()
	all := v.all
	v.mu.Unlock()
	late := time.NewTimer(limit)
	defer late.Stop()
	for _, one := range all {
		select {
		case <-one.ended:
		case <-late.C:
			return
		case <-ctx.Done():
			return
		}
	}
}
