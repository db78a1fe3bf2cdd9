package fsm

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

type renewer struct {
	began  time.Time
	until  atomic.Int64 // end of the locks' life, nanoseconds after began
	lost   chan struct{}
	once   sync.Once
	cancel context.CancelFunc
	ended  sync.WaitGroup
}

// startRenewer outlives ctx, which bounds only the wait for the lock.
func startRenewer(ctx context.Context, h Hold, g Lease) *renewer {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	k := &renewer{began: g.Since, lost: make(chan struct{}), cancel: cancel}
	k.until.Store(int64(g.TTL))
	k.ended.Go(func() { k.run(ctx, h, g) })
	return k
}

// run renews every third of the TTL. A whole TTL without success is a loss, even while the store hangs.
func (k *renewer) run(ctx context.Context, h Hold, g Lease) {
	deadline := time.AfterFunc(time.Until(g.Since.Add(g.TTL)), k.lose)
	defer deadline.Stop()
	next := time.NewTimer(time.Until(g.Since.Add(g.TTL / 3)))
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.lost:
			return
		case <-next.C:
		}
		sent := time.Now()
		switch err := k.renew(ctx, h, g.TTL/3); {
		case err == nil:
			k.until.Store(int64(sent.Add(g.TTL).Sub(k.began)))
			deadline.Reset(time.Until(sent.Add(g.TTL)))
			next.Reset(time.Until(sent.Add(g.TTL / 3)))
		case errors.Is(err, ErrLockLost):
			k.lose()
			return
		default:
			next.Reset(g.TTL / 10)
		}
	}
}

func (k *renewer) renew(ctx context.Context, h Hold, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return h.Renew(ctx)
}

func (k *renewer) lose() { k.once.Do(func() { close(k.lost) }) }

// isLost reads the clock too: after a freeze the caller may run before the timer.
func (k *renewer) isLost() bool {
	if time.Since(k.began) > time.Duration(k.until.Load()) {
		k.lose()
	}
	select {
	case <-k.lost:
		return true
	default:
		return false
	}
}

func (k *renewer) stop() {
	k.cancel()
	k.ended.Wait()
}
