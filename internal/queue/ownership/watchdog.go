package ownership

import (
	"context"
	"time"

	"github.com/chatlane/chatlane/internal/queue"
)

// The watchdog compares after so much silence, and doubles the wait each time.
const (
	watchAfter = time.Second
	watchMost  = 12 * time.Second
)

type watchdog struct {
	moved    time.Time     // the last delivery, acknowledgement or comparison
	patience time.Duration // silence before the next comparison; 0 means watchAfter
	missing  bool          // the last comparison found something missing
}

func (w *watchdog) hasten() { w.patience = 0 }

// progress notes a delivery or an acknowledgement.
func (w *watchdog) progress(at time.Time) { w.moved, w.patience, w.missing = at, 0, false }

// restart notes a resync, which keeps the patience.
func (w *watchdog) restart(at time.Time) { w.moved, w.missing = at, false }

// due reports whether to compare now, and begins the next silence.
func (w *watchdog) due() (quietSince time.Time, due bool) {
	if time.Since(w.moved) < max(w.patience, watchAfter) {
		return w.moved, false
	}
	quietSince = w.moved
	w.moved, w.patience = time.Now(), min(2*max(w.patience, watchAfter), watchMost)
	return quietSince, true
}

// watch finds deliveries that were lost on their way, as when a stream leader dies: the broker waits for
// acknowledgements that this owner does not owe. Two comparisons, a tick apart, tell missing from late.
func (t *term) watch(ctx context.Context) error {
	if t.parking.Finished() > 0 {
		t.watchdog.progress(time.Now())
	}
	quietSince, due := t.watchdog.due()
	if !due {
		return nil
	}
	known, _ := t.parking.Unfinished() // before the broker's count: acks in between are not missing
	info, err := t.o.info(ctx, t.p)
	if err != nil {
		return nil //nolint:nilerr // no leader at this moment; silence ends the term if it lasts
	}
	missed := t.watchdog.missing
	t.watchdog.missing = info.Delivered.Consumer >= t.next || info.NumAckPending > known
	switch {
	case pinOf(info) != t.pin: // also without a pin: with nothing to deliver the broker refuses nothing
		return queue.ErrPinLost
	case t.watchdog.missing && missed:
		return t.resync(ctx, resetStalled)
	case t.watchdog.missing:
		t.watchdog.moved, t.watchdog.patience = quietSince, 0 // compare again at the next tick
	}
	return nil
}
