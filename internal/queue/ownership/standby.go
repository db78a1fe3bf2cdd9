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

type observed struct {
	orphaned int // checks in a row at which updates waited and nobody was pinned
}

// orphanedChecks is how many checks, PinTTL/8 apart, make a partition free for all.
const orphanedChecks = 8

// awaitPin drops the message that brings the pin: the reset brings it again.
func (o *Owner) awaitPin(ctx context.Context, p partition.ID) (pin string, err error) {
	for seen := (observed{}); pin == "" && err == nil; {
		pin, err = o.standBy(ctx, p, &seen, o.mayAsk(p, &seen))
	}
	return pin, err
}

// mayAsk lets a bystander ask for the pin only if updates wait and nobody takes them.
func (o *Owner) mayAsk(p partition.ID, seen *observed) bool {
	return o.cfg.Role(p) != fleet.RoleBystander || seen.orphaned >= orphanedChecks
}

// standBy waits for the pin while mayAsk equals asks.
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

// receivePin returns no pin after wait or a change of the plan: check the consumer again.
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
				// A pin needs a message; if all are with the former owner, only a reset frees them.
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

// deliveredPin asks the broker, since a stored message can carry any pin. If the two differ, the
// broker's pin counts only while the request is too young for another worker to have been pinned since.
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

// freeOrphans resets a consumer without pin whose messages wait for a dead worker, and wakes a partition
// with only parked updates. It returns when to check again: soon while another worker goes first.
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

func (o *Owner) releaseToOwner(ctx context.Context, p partition.ID) {
	_ = o.release(ctx, p, resetReleased) // it runs out
}
