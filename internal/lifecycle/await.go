package lifecycle

import (
	"cmp"
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Backoff says how to wait between attempts. The zero value waits 100 ms at first, doubled after each failure
// up to 2 s, each a tenth more or less.
type Backoff struct {
	First time.Duration
	Most  time.Duration

	Final   func(error) bool // errors that no further attempt can resolve; nil: none
	Waiting func(error)      // called before a wait whose reason differs from the one before; nil: not called
}

// Await calls try until it succeeds, fails for good, or ctx ends. It returns nil, the final error, or the
// cause of ctx's end.
func (b Backoff) Await(ctx context.Context, try func(context.Context) error) error {
	reason := ""
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := try(ctx)
		if err != nil && b.Final != nil && b.Final(err) {
			return struct{}{}, backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(b.Intervals()), backoff.WithMaxElapsedTime(0), backoff.WithNotify(func(err error, _ time.Duration) {
		if b.Waiting != nil && err.Error() != reason {
			b.Waiting(err)
		}
		reason = err.Error()
	}))
	return err
}

// Intervals are the waits, for a caller with a loop of its own.
func (b Backoff) Intervals() *backoff.ExponentialBackOff {
	e := backoff.NewExponentialBackOff()
	e.InitialInterval = cmp.Or(b.First, 100*time.Millisecond)
	e.MaxInterval = cmp.Or(b.Most, 2*time.Second)
	e.Multiplier, e.RandomizationFactor = 2, 0.1
	e.Reset()
	return e
}

// Sleep waits for d, or until ctx ends.
func Sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
