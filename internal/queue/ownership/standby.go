package ownership

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/fleet"
	"github.com/chatlane/chatlane/internal/partition"
	"github.com/chatlane/chatlane/internal/queue/parking"
)

// observed is what a standby has seen of the partition's consumer.
type observed struct {
	orphaned int // checks in a row at which updates waited and nobody was pinned
}

// orphanedChecks is how many such checks make a partition free for all. They are PinTTL/8 apart.
const orphanedChecks = 8

// awaitPin stands by until the broker pins p to this worker, and returns the pin. The
// message that came with it is kept nowhere: the reset brings it again.
func (o *Owner) awaitPin(ctx context.Context, p partition.ID) (pin string, err error) {
	for seen := (observed{}); pin == "" && err == nil; {
		pin, err = o.standBy(ctx, p, &seen, o.mayAsk(p, &seen))
	}
	return pin, err
}

// mayAsk reports whether this worker may ask for the pin. A bystander may where the
// partition's owner is alive and does not take it.
func (o *Owner) mayAsk(p partition.ID, seen *observed) bool {
	return o.cfg.Role(p) != fleet.RoleBystander || seen.orphaned >= orphanedChecks
}

// standBy waits for the pin for as long as mayAsk stays what it is. When that changes it
// returns no pin, and its request is taken back.
func (o *Owner) standBy(ctx context.Context, p partition.ID, seen *observed, asks bool) (string, error) {
	f, err := openFeed(o.conn, broker.ConsumerName(p), 16)
	if err != nil {
		return "", err
	}
	defer f.close()
	unpinned, err := o.conn.NATS().ChanSubscribe("$JS.EVENT.ADVISORY.CONSUMER.UNPINNED."+o.conn.Names().Updates()+"."+broker.ConsumerName(p), f.in)
	if err != nil {
		return "", fmt.Errorf("subscribe to unpinned advisory: %w", err)
	}
	defer func() { _ = unpinned.Unsubscribe() }()
	changed := func() bool { return o.mayAsk(p, seen) != asks }
	for wait := o.cfg.PinTTL / 20; !changed(); {
		requested := time.Now()
		if asks {
			if err := f.pull(pullRequest{Batch: 1, Expires: o.cfg.PinTTL}); err != nil {
				return "", err
			}
		}
		pin, err := o.receivePin(ctx, p, f, requested, unpinned.Subject, wait, changed)
		if pin != "" || err != nil {
			return pin, err
		}
		wait = o.freeOrphans(ctx, p, seen)
	}
	return "", nil
}

// receivePin returns a pin, or none when it is time to check the consumer again: after
// wait, or when the plan has changed.
func (o *Owner) receivePin(ctx context.Context, p partition.ID, f *feed, requested time.Time, advisory string, wait time.Duration, changed func() bool) (string, error) {
	t, check := time.NewTimer(wait), time.NewTicker(o.cfg.PinTTL/20)
	defer t.Stop()
	defer check.Stop()
	for {
		select {
		case <-check.C:
			if changed() {
				return "", nil
			}
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case <-t.C:
			return "", nil
		case m := <-f.in:
			switch {
			case m.Subject == advisory:
				// A standby has the pin at once if there is a message to deliver; if all
				// are with the former owner, only a reset frees them.
				t.Reset(o.cfg.PinTTL / 40)
			case isDelivery(m):
				return o.deliveredPin(ctx, p, m, requested)
			case status(m) == statusNoResponders:
				t.Reset(o.cfg.PinTTL / 8)
			default:
				return "", nil
			}
		}
	}
}

// deliveredPin is the pin that a delivery came under, by the broker's own word: a stored
// message can carry any pin, and hide the broker's. Where the two differ, the broker's
// counts if the request is so young that no other worker can have been pinned since.
func (o *Owner) deliveredPin(ctx context.Context, p partition.ID, m *nats.Msg, requested time.Time) (string, error) {
	info, err := o.info(ctx, p)
	if err != nil {
		return "", err
	}
	if pin := pinOf(info); pin == pinIn(m) || time.Since(requested) < o.cfg.PinTTL {
		return pin, nil
	}
	return "", nil
}

// freeOrphans resets a consumer that nobody is pinned to while messages wait for the
// acknowledgement of a worker that is gone, and wakes a partition whose updates are all
// parked. It returns when to check again: soon while another worker has the first right
// to do this.
func (o *Owner) freeOrphans(ctx context.Context, p partition.ID, seen *observed) (again time.Duration) {
	info, err := o.info(ctx, p)
	if err == nil && pinOf(info) == "" && info.NumPending+uint64(info.NumAckPending) > 0 {
		seen.orphaned++
	} else {
		seen.orphaned = 0
	}
	switch {
	case err != nil, pinOf(info) != "":
	case seen.orphaned > 0 && seen.orphaned < orphanedChecks && o.elsewhere(p):
		return o.cfg.PinTTL / 8
	case info.NumAckPending > 0:
		_ = o.reset(ctx, p, resetOrphaned)
		return o.cfg.PinTTL / 4
	case info.NumPending == 0 && !o.elsewhere(p) && parking.Wake(ctx, o.conn, p, info.Delivered.Stream):
		return o.cfg.PinTTL / 4
	}
	return o.cfg.PinTTL + o.cfg.PinTTL/4
}

// releaseToOwner gives back a pin that came to a standby whose partition has a living owner.
func (o *Owner) releaseToOwner(ctx context.Context, p partition.ID) {
	_ = o.release(ctx, p, resetReleased) // a pin that is not released runs out
}
