package fsm

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// keeper renews a session's locks until it is stopped or they are lost.
type keeper struct {
	began  time.Time
	until  atomic.Int64 // nanoseconds after began: the end of the locks' life without another renewal
	lost   chan struct{}
	once   sync.Once
	cancel context.CancelFunc
	ended  sync.WaitGroup
}

// keep starts a keeper. It outlives ctx, which is only the wait for the lock.
func keep(ctx context.Context, h Hold, g Grip) *keeper {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	k := &keeper{began: g.Since, lost: make(chan struct{}), cancel: cancel}
	k.until.Store(int64(g.TTL))
	k.ended.Go(func() { k.run(ctx, h, g) })
	return k
}

// run renews every third of the TTL. If no renewal succeeds for a whole TTL, the
// lock is lost whatever the store would say: it may hang as long as it likes.
func (k *keeper) run(ctx context.Context, h Hold, g Grip) {
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

func (k *keeper) renew(ctx context.Context, h Hold, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return h.Renew(ctx)
}

func (k *keeper) lose() { k.once.Do(func() { close(k.lost) }) }

// isLost looks at the clock as well: in a process that was frozen, whoever asks may
// run before the timer does.
func (k *keeper) isLost() bool {
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

// stop ends the keeper and returns when it has ended.
func (k *keeper) stop() {
	k.cancel()
	k.ended.Wait()
}
