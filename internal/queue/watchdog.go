package queue

import (
	"context"
	"time"
)

// The watchdog's silence: after so long without a delivery or an acknowledgement
// it compares its books with the broker's, and if something is missing once more a tick
// later. The second figure is where doubling ends.
const (
	watchAfter = time.Second
	watchMost  = 12 * time.Second
)

// watch finds deliveries that were lost on their way, which happens when a stream
// leader dies: the broker waits for acknowledgements of messages that this owner
// has never seen, or whose acknowledgement was lost. What is only late shows up between
// two looks, and then accept judges it.
func (t *term) watch(ctx context.Context) error {
	t.mu.Lock()
	acks := t.acks
	t.acks = 0
	known := len(t.open)
	t.mu.Unlock()
	if acks > 0 {
		t.moved, t.patience, t.missing = time.Now(), 0, false
	}
	if time.Since(t.moved) < max(t.patience, watchAfter) {
		return nil
	}
	quiet := t.moved
	t.moved, t.patience = time.Now(), min(2*max(t.patience, watchAfter), watchMost)
	info, err := t.o.info(ctx, t.p)
	if err != nil {
		return nil //nolint:nilerr // no leader at this moment; silence ends the term if it lasts
	}
	missed := t.missing
	t.missing = info.Delivered.Consumer >= t.next || info.NumAckPending > known
	switch {
	case pinOf(info) != t.pin: // also when it is nobody's: where nothing is to be delivered, the broker says so to none
		return ErrPinLost
	case t.missing && missed:
		return t.resync(ctx, resetStalled)
	case t.missing:
		t.moved, t.patience = quiet, 0
	}
	return nil
}
