package lane

import (
	"context"
	"errors"
	"sync"
	"time"
)

// ErrDraining refuses work after Drain has begun.
var ErrDraining = errors.New("lanes are draining")

// Job is one attempt at one update. It returns 0 when it is done with it, or how
// long the lane has to wait before the same job is tried again. A waiting lane
// holds no slot, so it delays no other.
type Job func(ctx context.Context) (again time.Duration)

// Slots bounds how many jobs run at once; executors share one.
type Slots struct{ free chan struct{} }

// NewSlots makes n slots.
func NewSlots(n int) *Slots { return &Slots{free: make(chan struct{}, max(n, 1))} }

// InUse is the number of jobs that run now.
func (s *Slots) InUse() int { return len(s.free) }

func (s *Slots) take(ctx context.Context) bool {
	select {
	case s.free <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *Slots) give() { <-s.free }

// Executor runs jobs in order within a lane and in parallel across lanes. It has
// one goroutine for each lane that has work, and none for the others. It does not
// bound what waits: who submits does (the window of the partition's consumer).
type Executor struct {
	slots *Slots

	mu       sync.Mutex
	lanes    map[Key]*queue
	draining chan struct{} // closed by Drain
	running  sync.WaitGroup
}

// queue is what one lane has to do, the head first.
type queue struct {
	jobs    []Job
	started bool // the head has run at least once and is not done
}

// NewExecutor makes an executor that starts nothing until work is submitted.
func NewExecutor(slots *Slots) *Executor {
	return &Executor{slots: slots, lanes: make(map[Key]*queue), draining: make(chan struct{})}
}

// Submit appends a job to its lane and returns at once. The jobs of a lane run
// under the context of the submission that found the lane idle.
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

// Discard forgets every job that has not started yet and returns their number.
// Jobs that run, or wait for another attempt, stay.
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

// Drain refuses new jobs, forgets those that do not run at this moment, waiting
// ones included, and returns when the running ones have ended. Calling it again waits again.
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

// work runs one lane until it has nothing left to do.
func (e *Executor) work(ctx context.Context, k Key, q *queue) {
	for {
		job, ok := e.head(k, q)
		if !ok {
			return
		}
		again, ran := e.attempt(ctx, job)
		switch {
		case !ran:
			e.drop(k)
			return
		case again <= 0:
			e.finish(q)
		case !e.pause(ctx, again):
			e.drop(k)
			return
		}
	}
}

// attempt runs the job in a slot. It did not run if the executor drains or ctx ended.
func (e *Executor) attempt(ctx context.Context, job Job) (again time.Duration, ran bool) {
	if !e.slots.take(ctx) {
		return 0, false
	}
	defer e.slots.give()
	select {
	case <-e.draining:
		return 0, false
	case <-ctx.Done():
		return 0, false
	default:
		return job(ctx), true
	}
}

// head returns the job to run, or removes the lane when there is none.
func (e *Executor) head(k Key, q *queue) (Job, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(q.jobs) == 0 {
		delete(e.lanes, k)
		return nil, false
	}
	q.started = true
	return q.jobs[0], true
}

// finish takes the job that is done off its lane.
func (e *Executor) finish(q *queue) {
	e.mu.Lock()
	defer e.mu.Unlock()
	q.jobs[0] = nil
	q.jobs = q.jobs[1:]
	q.started = false
}

func (e *Executor) drop(k Key) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.lanes, k)
}

// pause waits before another attempt; false if there will be none.
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
