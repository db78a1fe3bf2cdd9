package parking

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/queue"
)

const (
	// retryStore is the wait after a copy could not be written or read.
	retryStore = time.Second
	// retryUnreadable is the wait before an unreadable copy is read again.
	retryUnreadable = time.Minute
)

type worker struct {
	l       *Lanes
	k       lane.Key
	d       *queue.Delivery // the parked update at hand; nil before it is read
	attempt queue.Attempt
}

// work makes a job that works off one update per call, so that a hand-over waits for one alone.
func (l *Lanes) work(k lane.Key) lane.Job {
	w := &worker{l: l, k: k}
	return w.run
}

func (w *worker) run(ctx context.Context) time.Duration {
	if w.d == nil {
		if again := w.read(ctx); w.d == nil {
			return again
		}
	}
	next := w.attempt(ctx)
	switch {
	case next.Park:
		w.l.hold(w.k, wait{next.Again, w.d.Seq})
		return 0
	case next.Again > 0:
		return next.Again
	}
	w.d = nil
	return time.Nanosecond // the lane's next parked update
}

// read takes the oldest parked update if its time has come, else returns when to try again; 0 for never.
func (w *worker) read(ctx context.Context) (again time.Duration) {
	l, k := w.l, w.k
	if !l.isAwake(k) {
		return 0 // the lane was given another time meanwhile
	}
	d, err := l.headOrUnpark(ctx, k)
	switch {
	case errors.Is(err, errUnreadable): // a newer version's, or nobody's: only this lane waits for a person
		l.log.ErrorContext(ctx, "parked update is unreadable, its lane stands still", slog.String("lane", string(k)), slog.String("error", err.Error()))
		l.hold(k, wait{left: retryUnreadable})
		return 0
	case err != nil:
		l.log.WarnContext(ctx, "parked update not read, trying again", slog.String("lane", string(k)), slog.String("error", err.Error()))
		return retryStore
	case d == nil:
		return 0
	}
	left, err := l.waitOf(ctx, k)
	switch {
	case err != nil:
		l.log.WarnContext(ctx, "parked lane's time not read, trying again", slog.String("lane", string(k)), slog.String("error", err.Error()))
		return retryStore
	case left.left > 0:
		l.hold(k, left)
		return 0
	}
	w.d, w.attempt = d, l.cfg.Attempt(d)
	return 0
}

// headOrUnpark unparks the lane if it is empty and no copy is being written.
func (l *Lanes) headOrUnpark(ctx context.Context, k lane.Key) (*queue.Delivery, error) {
	if d, err := l.head(ctx, k); d != nil || err != nil {
		return d, err
	}
	p := l.parkedLane(k)
	if p == nil {
		return nil, nil //nolint:nilnil // none is an answer here
	}
	p.filling.Lock()
	defer p.filling.Unlock()
	d, err := l.head(ctx, k)
	if d == nil && err == nil {
		l.unpark(k)
	}
	return d, err
}
