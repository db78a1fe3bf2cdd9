package ownership

import (
	"context"
	"time"

	"github.com/chatlane/chatlane/internal/broker"
)

// StealWaiting lets a request with the owner's pin wait beside the owner's, and counts what it got of n messages.
func StealWaiting(ctx context.Context, c *broker.Conn, n int, wait time.Duration) (int, error) {
	info, err := New(Config{}, c, nil, nil).info(ctx, 0)
	if err != nil {
		return 0, err
	}
	f, err := openFeed(c, broker.ConsumerName(0), 64)
	if err != nil {
		return 0, err
	}
	defer f.close()
	if err := f.pull(pullRequest{Batch: n, Expires: wait, Pin: pinOf(info)}); err != nil {
		return 0, err
	}
	for got := 0; ; got++ {
		m := <-f.in
		if status(m) != "" {
			return got, nil
		}
		if got+1 == n {
			return n, nil
		}
	}
}

// TakePin unpins the owner and wins the pin for a moment, as a standby would.
func TakePin(ctx context.Context, c *broker.Conn) error {
	o := New(Config{}, c, nil, nil)
	if err := o.unpin(ctx, 0); err != nil {
		return err
	}
	f, err := openFeed(c, broker.ConsumerName(0), 64)
	if err != nil {
		return err
	}
	defer f.close()
	if err := f.pull(pullRequest{Batch: 1, Expires: time.Second}); err != nil {
		return err
	}
	return o.reset(ctx, 0, resetOrphaned)
}
