package turn

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/chatlane/chatlane/internal/queue"
)

// stages lists the stages of an attempt, in their order.
func stages() [14]stage {
	return [...]stage{
		(*task).requireBot,     // bots.go: an update whose bot this worker lacks waits for one that has it
		(*task).admit,          // admission.go: gates refuse an update before it takes a lock
		(*task).open,           // open.go: lock the lane; load state, cursor and journal
		(*task).skipDuplicate,  // duplicate.go: an update that is committed already gets no second answer
		(*task).admitInherited, // admission.go: gates, for what an earlier owner may have begun
		(*task).joinAlbum,      // album.go: the commit covers the further parts of the album
		(*task).finishDiscard,  // deadletter.go: an update that was given up stays given up
		(*task).retryUrgent,    // urgent.go: a failed urgent run is repeated
		(*task).skipCancelled,  // running.go: an urgent update cancelled this turn
		(*task).suspect,        // crash.go: an update that may have ended its worker is counted
		(*task).skipLate,       // freshness.go: an update too old to matter gets no answer
		(*task).dispatch,       // dispatch.go: the router answers, under supervision (supervise.go)
		(*task).commit,         // commit.go: state, cursor and journal in one step; timers around it
		(*task).acknowledge,    // acknowledge.go: the broker forgets the update
	}
}

// stage is one step of an attempt. An error ends the attempt: settle.go carries out the verdict on it.
type stage func(t *task, ctx context.Context) (progress, error)

// guarded recovers panics: several stages run an author's code, which must not end the worker.
func (s stage) guarded(t *task, ctx context.Context) (p progress, err error) {
	defer func() {
		if v := recover(); v != nil {
			p, err = goOn, recovered(v)
		}
	}()
	return s(t, ctx)
}

type progress uint8

const (
	goOn     progress = iota // to the next stage
	finished                 // nothing is left to do for the update
)

func (t *task) run(ctx context.Context) queue.Next {
	if err := t.awaitUrgent(ctx); err != nil {
		return t.settle(ctx, err)
	}
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
	end := t.register(ctx)
	next := t.traced(ctx)
	if next.Again == 0 || next.Park {
		end()
	}
	if next == (queue.Next{}) {
		t.forget()
	}
	return next
}

func (t *task) traced(ctx context.Context) queue.Next {
	ctx, span := t.r.tracer.Start(t.d.Context(ctx, t.r.carrier), "turn.run", trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		attribute.Int64("chatlane.bot", t.d.Scope.Bot), attribute.String("chatlane.lane", string(t.d.Lane)),
		attribute.Int64("chatlane.update.id", t.d.ID), attribute.String("chatlane.update.type", t.d.Type),
		attribute.Int("chatlane.attempt", t.attempts+1)))
	defer span.End()
	next, err := t.attempt(ctx)
	if err != nil {
		span.SetStatus(codes.Error, "attempt failed") // no error text: it may quote the update
	}
	return next
}

func (t *task) attempt(ctx context.Context) (queue.Next, error) {
	t.began, t.outcome = time.Now(), ""
	defer t.release(ctx)
	for _, s := range stages() {
		p, err := s.guarded(t, ctx)
		if err != nil {
			return t.settle(ctx, err), err
		}
		if p == finished {
			break
		}
	}
	return queue.Next{}, nil
}

func (t *task) release(ctx context.Context) {
	if t.alone {
		t.alone = false
		<-t.r.suspects
	}
	if t.session != nil {
		t.close(ctx, t.session)
		t.session = nil
	}
}
