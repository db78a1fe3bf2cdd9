package ownership

import (
	"context"
	"time"

	"github.com/chatlane/chatlane/internal/queue"
)

// handOver keeps the pin while running attempts end, then gives the partition away.
func (t *term) handOver(ctx context.Context) error {
	t.closeFeed()
	f, err := openFeed(t.o.conn, t.consumer(), 256)
	if err != nil {
		return err
	}
	t.feed = f
	ended := make(chan struct{})
	go func() { defer close(ended); t.lanes.Drain(); t.parking.Wait() }()
	if err := t.keepPin(f, ended); err != nil {
		return err
	}
	if err := t.o.release(context.WithoutCancel(ctx), t.p, resetHandOver); err != nil {
		return err
	}
	t.log.InfoContext(ctx, "partition handed over")
	return nil
}

// keepPin fails if the pin is lost, which cancels the running attempts.
func (t *term) keepPin(f *feed, ended <-chan struct{}) error {
	renew := time.NewTicker(t.o.cfg.PinTTL / 4)
	defer renew.Stop()
	for {
		select {
		case <-ended:
			return nil
		case m := <-f.in:
			if status(m) == statusWrongPin {
				return queue.ErrPinLost
			}
		case <-renew.C:
			_ = f.renew(t.pin) // a lost pin shows in the answer
		}
	}
}
