package lane

import (
	"context"
	"errors"
	"sync"
	"time"
)

// ErrDraining refuses work after Drain has begun.
var ErrDraining = errors.New("lanes are draining")

// Job is one attempt. It returns 0 when the update is done, else how long the lane waits, without a slot.
type Job func(ctx context.Context) (again time.Duration)

// Slots bounds how many jobs run at once. All executors of a worker share one.
type Slots struct{ used chan struct{} }

// NewSlots makes n slots, at least one.
func NewSlots(n int) *Slots { return &Slots{used: make(chan struct{}, max(n, 1))} }

// InUse is the number of jobs that run now.
func (s *Slots) InUse() int { return len(s.used) }

func (s *Slots) give() { <-s.used }

// Executor runs jobs in order within a lane and in parallel across lanes, one goroutine per lane that
// has work. The submitter bounds what waits, by its partition's window. Safe for concurrent use.
type Executor struct {
	slots *Slots

	mu       sync.Mutex
	lanes    map[Key]*queue
	draining chan struct{} // closed by Drain
	running  sync.WaitGroup
}

type queue struct {
	jobs    []Job
	started bool // the head has run at least once and is not done
}

// NewExecutor starts nothing until work is submitted.
func NewExecutor(slots *Slots) *Executor {
	return &Executor{slots: slots, lanes: make(map[Key]*queue), draining: make(chan struct{})}
}

// Submit appends a job to its lane, or returns ErrDraining. A lane's jobs run under the context of
// the submission that found the lane idle.
func (e *Executor) Submit(ctx context.Context, k Key, job Job) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.isDraining() {
		return ErrDraining
	}
	if q, busy := e.lanes[k]; busy {
		q.jobs = append(q.jobs, job)
		return nil
	}
	q := &queue{jobs: []Job{job}}
	e.lanes[k] = q
	e.running.Go(func() { e.work(ctx, k, q) })
	return nil
}

// Discard drops the jobs that have not started and returns their number. Jobs between two attempts stay.
func (e *Executor) Discard() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for _, q := range e.lanes {
		keep := 0
		if q.started {
			keep = 1
		}
		n += len(q.jobs) - keep
		clear(q.jobs[keep:])
		q.jobs = q.jobs[:keep]
	}
	return n
}

// Drain refuses new jobs, drops those that do not run, and waits for the others. Safe to repeat.
func (e *Executor) Drain() {
	e.mu.Lock()
	if !e.isDraining() {
		close(e.draining)
	}
	e.mu.Unlock()
	e.running.Wait()
}

// Lanes is the number of lanes that have work.
func (e *Executor) Lanes() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.lanes)
}

func (e *Executor) work(ctx context.Context, k Key, q *queue) {
	for {
		again, ran := e.attempt(ctx, k, q)
		switch {
		case !ran:
			return
		case again <= 0:
			if !e.finish(k, q) {
				return
			}
		case !e.pause(ctx, again):
			e.remove(k)
			return
		}
	}
}

func (e *Executor) attempt(ctx context.Context, k Key, q *queue) (again time.Duration, ran bool) {
	if !e.takeSlot(ctx) {
		e.remove(k)
		return 0, false
	}
	defer e.slots.give()
	job, ok := e.start(ctx, k, q)
	if !ok {
		return 0, false
	}
	return job(ctx), true
}

// takeSlot returns false when the lane has to end first.
func (e *Executor) takeSlot(ctx context.Context) bool {
	select {
	case e.slots.used <- struct{}{}: // the usual case, cheaper alone
		return true
	default:
	}
	select {
	case e.slots.used <- struct{}{}:
		return true
	case <-e.draining: // the slots may be taken by other executors' jobs
		return false
	case <-ctx.Done():
		return false
	}
}

// start returns the head, or removes a lane that is empty after a Discard or has to end.
func (e *Executor) start(ctx context.Context, k Key, q *queue) (Job, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(q.jobs) == 0 || e.isDraining() || ctx.Err() != nil {
		delete(e.lanes, k)
		return nil, false
	}
	q.started = true
	return q.jobs[0], true
}

// finish takes the head off its lane, and removes a lane that is empty then.
func (e *Executor) finish(k Key, q *queue) (more bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	q.jobs[0] = nil
	q.jobs = q.jobs[1:]
	q.started = false
	if len(q.jobs) == 0 {
		delete(e.lanes, k)
		return false
	}
	return true
}

func (e *Executor) remove(k Key) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.lanes, k)
}

func (e *Executor) pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-e.draining:
		return false
	case <-ctx.Done():
		return false
	}
}

// isDraining needs e.mu.
func (e *Executor) isDraining() bool {
	select {
	case <-e.draining:
		return true
	default:
		return false
	}
}
