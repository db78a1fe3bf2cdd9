package parking

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/queue"
)

// confirming is a term whose Confirm has a fixed result.
type confirming func() error

func (f confirming) Submit(lane.Key, lane.Job) error { return nil }
func (f confirming) Confirm(context.Context) error   { return f() }

func former(c *broker.Conn, confirm func() error) *Lanes {
	return New(Config{Pin: "former", Metrics: NewMetrics(nil), Logger: slog.New(slog.DiscardHandler)}, c, confirming(confirm))
}

// Park copies deliveries of partition 0 in a term with this result of Confirm.
func Park(ctx context.Context, c *broker.Conn, confirmed error, ds ...*queue.Delivery) {
	l := former(c, func() error { return confirmed })
	for _, d := range ds {
		l.put(ctx, d, wait{}, false)
	}
}

func ParkFor(ctx context.Context, c *broker.Conn, d *queue.Delivery, left time.Duration) {
	former(c, func() error { return nil }).put(ctx, d, wait{left, d.Seq}, false)
}

// Prune prunes a lane of partition 0 in a term with this Confirm.
func Prune(ctx context.Context, c *broker.Conn, k lane.Key, confirm func() error) {
	_, _ = former(c, confirm).prune(ctx, k)
}

func Empty(ctx context.Context, c *broker.Conn) error {
	for _, name := range []string{broker.Names{}.Updates(), broker.Names{}.Parked()} {
		if err := c.JetStream().DeleteStream(ctx, name); err != nil {
			return err
		}
	}
	t := broker.Topology{Partitions: 1, PinTTL: 2 * time.Second}
	return errors.Join(c.Ensure(ctx, t), c.EnsureConsumers(ctx, t))
}
