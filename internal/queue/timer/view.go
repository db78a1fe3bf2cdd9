package timer

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// view is the last look at TIMERS: its size, and the broker's time, carried on by our monotonic
// clock, so that no worker's wall clock decides when a timer fires.
type view struct {
	broker time.Time // the broker's clock then
	here   time.Time // our clock then
	bytes  int64     // of TIMERS, with what was armed here since
}

// How long a view holds: monotonic clocks drift a little, and the bound needs a fresh size.
const (
	clockAge = 10 * time.Minute
	sizeAge  = 5 * time.Second
	fullAge  = time.Second
)

// ErrFull means that TIMERS has reached its bound.
var ErrFull = errors.New("TIMERS is full: raise CHATLANE_TIMERS_MAX_BYTES, or let bots set fewer timeouts")

// now is the broker's time, or ErrFull.
func (t *Scheduler) now(ctx context.Context) (time.Time, error) {
	v, err := t.look(ctx)
	if err != nil {
		return time.Time{}, err
	}
	if t.full(v) {
		return time.Time{}, ErrFull
	}
	return v.broker.Add(time.Since(v.here)), nil
}

func (t *Scheduler) look(ctx context.Context) (view, error) {
	t.mu.Lock()
	v := t.seen
	t.mu.Unlock()
	if !v.here.IsZero() && time.Since(v.here) <= t.age(v) {
		return v, nil
	}
	asked := time.Now()
	s, err := t.conn.Stream(ctx, t.conn.Names().Timers())
	if err != nil {
		return v, fmt.Errorf("ask for the broker's time: %w", err)
	}
	info := s.CachedInfo()
	v = view{broker: info.TimeStamp, here: asked.Add(time.Since(asked) / 2), bytes: int64(info.State.Bytes)}
	if v.broker.IsZero() {
		v.broker = v.here
	}
	t.mu.Lock()
	t.seen = v
	t.mu.Unlock()
	return v, nil
}

func (t *Scheduler) age(v view) time.Duration {
	switch {
	case t.cfg.MaxBytes <= 0:
		return clockAge
	case t.full(v):
		return fullAge
	}
	return sizeAge
}

func (t *Scheduler) full(v view) bool { return t.cfg.MaxBytes > 0 && v.bytes >= t.cfg.MaxBytes }

func (t *Scheduler) grow(body int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen.bytes += int64(body) + overhead
}

// overhead is about the bytes of a timer's headers and subject.
const overhead = 400
