package queue

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/lane"
)

// StealWaiting lets a request with the owner's pin wait beside the owner's own.
func StealWaiting(ctx context.Context, c *broker.Conn, n int, wait time.Duration) (int, error) {
	info, err := (&Owner{conn: c, cfg: OwnerConfig{}.withDefaults()}).info(ctx, 0)
	if err != nil {
		return 0, err
	}
	f, err := openFeed(c.NATS(), broker.ConsumerName(0), 64)
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
	o := &Owner{conn: c, cfg: OwnerConfig{}.withDefaults(), metrics: newOwnerMetrics(nil)}
	if err := o.unpin(ctx, 0); err != nil {
		return err
	}
	f, err := openFeed(c.NATS(), broker.ConsumerName(0), 64)
	if err != nil {
		return err
	}
	defer f.close()
	if err := f.pull(pullRequest{Batch: 1, Expires: time.Second}); err != nil {
		return err
	}
	return o.reset(ctx, 0, resetOrphaned)
}

// PutAside parks a delivery as a term would whose question for its pin has this answer.
func PutAside(ctx context.Context, c *broker.Conn, d *Delivery, owner error) {
	l := &lot{conn: c, p: d.Partition, pin: "former", log: slog.New(slog.DiscardHandler), mine: func(context.Context) error { return owner }}
	l.put(ctx, d, wait{}, false)
}

// Sweep sweeps a lane of partition 0 as an owner would that the broker tells so.
func Sweep(ctx context.Context, c *broker.Conn, k lane.Key, mine func() error) {
	l := &lot{conn: c, log: slog.New(slog.DiscardHandler), mine: func(context.Context) error { return mine() }}
	_, _ = l.sweep(ctx, k)
}

// Empty forgets all updates, and what is known of repetitions.
func Empty(ctx context.Context, c *broker.Conn) error {
	for _, name := range []string{broker.StreamUpdates, broker.StreamParked} {
		if err := c.JetStream().DeleteStream(ctx, name); err != nil {
			return err
		}
	}
	t := broker.Topology{Partitions: 1, PinTTL: 2 * time.Second}
	return errors.Join(c.Ensure(ctx, t), c.EnsureConsumers(ctx, t))
}

// PutAsideFor parks a delivery as its owner would.
func PutAsideFor(ctx context.Context, c *broker.Conn, d *Delivery, left time.Duration) {
	l := &lot{conn: c, p: d.Partition, pin: "former", log: slog.New(slog.DiscardHandler), mine: func(context.Context) error { return nil }}
	l.put(ctx, d, wait{left, d.Seq}, false)
}

// PutAsideAll puts copies of deliveries into the lot of one owner, who hears that it is
// none any more when it asks.
func PutAsideAll(ctx context.Context, c *broker.Conn, ds ...*Delivery) {
	l := &lot{conn: c, pin: "former", log: slog.New(slog.DiscardHandler), mine: func(context.Context) error { return ErrPinLost }}
	for _, d := range ds {
		l.put(ctx, d, wait{}, false)
	}
}
