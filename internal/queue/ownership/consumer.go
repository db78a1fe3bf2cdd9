package ownership

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/partition"
)

func (o *Owner) info(ctx context.Context, p partition.ID) (*jetstream.ConsumerInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, o.cfg.PinTTL)
	defer cancel()
	c, err := o.conn.JetStream().Consumer(ctx, o.conn.Names().Updates(), broker.ConsumerName(p))
	if err != nil {
		return nil, fmt.Errorf("look at consumer %s: %w", broker.ConsumerName(p), err)
	}
	return c.CachedInfo(), nil
}

// pinOf is the valid pin; empty for none.
func pinOf(info *jetstream.ConsumerInfo) string {
	for _, g := range info.PriorityGroups {
		if g.Group == broker.PinGroup {
			return g.PinnedClientID
		}
	}
	return ""
}

func (o *Owner) reset(ctx context.Context, p partition.ID, reason string) error {
	ctx, cancel := context.WithTimeout(ctx, o.cfg.PinTTL)
	defer cancel()
	if _, err := o.conn.JetStream().ResetConsumer(ctx, o.conn.Names().Updates(), broker.ConsumerName(p)); err != nil {
		return fmt.Errorf("reset consumer %s: %w", broker.ConsumerName(p), err)
	}
	o.metrics.resets.WithLabelValues(reason).Inc()
	return nil
}

// reset goes back to the acknowledgement floor: on a work queue exactly what is unfinished, in order.
func (o *Owner) release(ctx context.Context, p partition.ID, reason string) error {
	ctx, cancel := context.WithTimeout(ctx, o.cfg.PinTTL)
	defer cancel()
	if err := o.reset(ctx, p, reason); err != nil {
		return err
	}
	return o.unpin(ctx, p)
}

func (o *Owner) unpin(ctx context.Context, p partition.ID) error {
	s, err := o.conn.Stream(ctx, o.conn.Names().Updates())
	if err != nil {
		return fmt.Errorf("unpin %s: %w", broker.ConsumerName(p), err)
	}
	if err := s.UnpinConsumer(ctx, broker.ConsumerName(p), broker.PinGroup); err != nil {
		return fmt.Errorf("unpin %s: %w", broker.ConsumerName(p), err)
	}
	return nil
}

type streamState struct {
	created int64         // identity of the stream: creation time, Unix nanoseconds
	last    uint64        // last sequence
	ahead   time.Duration // of the broker's clock before ours, give or take half a round trip
}

func (o *Owner) streamState(ctx context.Context) (streamState, error) {
	ctx, cancel := context.WithTimeout(ctx, o.cfg.PinTTL)
	defer cancel()
	s, asked, err := o.conn.StreamWithRetry(ctx, o.conn.Names().Updates(), o.cfg.PinTTL/4)
	if err != nil {
		return streamState{}, err
	}
	info := s.CachedInfo()
	state := streamState{created: info.Created.UnixNano(), last: info.State.LastSeq}
	if !info.TimeStamp.IsZero() {
		state.ahead = info.TimeStamp.Sub(asked.Add(time.Since(asked) / 2))
	}
	return state, nil
}
