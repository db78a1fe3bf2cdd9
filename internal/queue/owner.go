package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/partition"
)

// Why a term ended. Turns that run then see it as their context's cause.
var (
	// ErrPinLost says that another worker owns the partition now.
	ErrPinLost = errors.New("partition pin lost")
	// ErrSilent says that the broker has not answered for longer than the pin lives.
	ErrSilent = errors.New("broker silent for longer than the pin lives")
	errHand   = errors.New("partition belongs to another worker")
)

// OwnerConfig holds what all partitions of a worker share.
type OwnerConfig struct {
	PinTTL time.Duration // as in Topology
	Window int           // as in Topology
	// Elsewhere tells that a partition is assigned to another worker that is alive.
	// Nil means never. It may be wrong for a moment: the pin decides.
	Elsewhere func(partition.ID) bool
	Logger    *slog.Logger
}

func (c OwnerConfig) withDefaults() OwnerConfig {
	c.PinTTL = orElse(c.PinTTL, 2*time.Second)
	c.Window = orElse(c.Window, 256)
	if c.Elsewhere == nil {
		c.Elsewhere = func(partition.ID) bool { return false }
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Owner takes partitions over, works on them, and hands them over. See the
// package comment for the protocol. Safe for concurrent use, one Run per partition.
type Owner struct {
	conn    *Conn
	cfg     OwnerConfig
	slots   *lane.Slots
	metrics ownerMetrics
}

// NewOwner makes an owner whose turns share slots.
func NewOwner(conn *Conn, cfg OwnerConfig, slots *lane.Slots, reg prometheus.Registerer) *Owner {
	return &Owner{conn: conn, cfg: cfg.withDefaults(), slots: slots, metrics: newOwnerMetrics(reg)}
}

// Run owns partition p, or stands by for it, until ctx ends; then it lets running
// turns end, hands the partition over and returns nil. Turns run under work, which
// outlives ctx for as long as the caller grants them.
func (o *Owner) Run(ctx, work context.Context, p partition.ID, turn func(*Delivery) Turn) error {
	log := o.cfg.Logger.With(slog.Int("partition", int(p)))
	var ceded time.Time
	for ctx.Err() == nil {
		pin, err := o.await(ctx, p)
		if err != nil {
			if ctx.Err() == nil {
				log.WarnContext(ctx, "standby interrupted", slog.String("error", err.Error()))
				pause(ctx, o.cfg.PinTTL/4)
			}
			continue
		}
		if o.cfg.Elsewhere(p) && time.Since(ceded) > 4*o.cfg.PinTTL {
			ceded = time.Now()
			o.cede(work, p)
			o.stepBack(ctx, p)
			continue
		}
		err = o.reign(ctx, work, p, pin, turn)
		switch {
		case errors.Is(err, errHand):
			o.stepBack(ctx, p)
		case err != nil:
			log.WarnContext(ctx, "partition lost", slog.String("error", err.Error()))
			pause(ctx, o.cfg.PinTTL/20)
		}
	}
	return nil
}

// stepBack leaves the partition to the worker that it is assigned to, no longer than
// a pin lives: the plan may have turned, and nobody else come.
func (o *Owner) stepBack(ctx context.Context, p partition.ID) {
	for until := time.Now().Add(o.cfg.PinTTL); ctx.Err() == nil && o.cfg.Elsewhere(p) && time.Now().Before(until); {
		pause(ctx, o.cfg.PinTTL/40)
	}
}

// await stands by until the broker pins p to this worker, and returns the pin.
// The message that came with it is kept nowhere: the reset brings it again.
func (o *Owner) await(ctx context.Context, p partition.ID) (string, error) {
	f, err := openFeed(o.conn.nc, consumerName(p), 16)
	if err != nil {
		return "", err
	}
	defer f.close()
	unpinned, err := o.conn.nc.ChanSubscribe("$JS.EVENT.ADVISORY.CONSUMER.UNPINNED."+StreamUpdates+"."+consumerName(p), f.in)
	if err != nil {
		return "", fmt.Errorf("subscribe to unpinned advisory: %w", err)
	}
	defer func() { _ = unpinned.Unsubscribe() }()
	for wait := o.cfg.PinTTL / 20; ; {
		pulls := o.mayPull(ctx, p)
		if pulls {
			if err := f.pull(pullRequest{Batch: 1, Expires: o.cfg.PinTTL}); err != nil {
				return "", err
			}
		}
		pin, err := o.awaitPin(ctx, f, unpinned.Subject, wait, func() bool { return !pulls && !o.cfg.Elsewhere(p) })
		if pin != "" || err != nil {
			return pin, err
		}
		wait = o.freeOrphans(ctx, p)
	}
}

// mayPull keeps a standby from winning a partition that has never been pinned
// before its assigned owner does: it asks only where there is a pin to inherit.
func (o *Owner) mayPull(ctx context.Context, p partition.ID) bool {
	if !o.cfg.Elsewhere(p) {
		return true
	}
	info, err := o.info(ctx, p)
	return err == nil && pinOf(info) != ""
}

// awaitPin returns a pin, or nothing when it is time to look at the consumer again:
// after wait, or when the plan has turned.
func (o *Owner) awaitPin(ctx context.Context, f *feed, advisory string, wait time.Duration, turned func() bool) (string, error) {
	t, look := time.NewTimer(wait), time.NewTicker(o.cfg.PinTTL/20)
	defer t.Stop()
	defer look.Stop()
	for {
		select {
		case <-look.C:
			if turned() {
				return "", nil
			}
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case <-t.C:
			return "", nil
		case m := <-f.in:
			switch {
			case m.Subject == advisory:
				// Whoever stood by has the pin at once if there is a message to deliver;
				// if all are with the former owner, only a reset frees them.
				t.Reset(o.cfg.PinTTL / 40)
			case status(m) == statusNoResponders:
				t.Reset(o.cfg.PinTTL / 8)
			case status(m) != "":
				return "", nil
			default:
				return headerValue(m.Header, headerPin), nil
			}
		}
	}
}

// freeOrphans resets a consumer that nobody is pinned to while messages wait for
// the acknowledgement of a worker that is gone, and wakes one whose updates are all
// parked. It returns when to look again: soon
// while an assigned owner who may be dead has the first right to do it.
func (o *Owner) freeOrphans(ctx context.Context, p partition.ID) (again time.Duration) {
	info, err := o.info(ctx, p)
	switch {
	case err != nil, pinOf(info) != "":
	case info.NumAckPending > 0 && o.cfg.Elsewhere(p):
		return o.cfg.PinTTL / 8
	case info.NumAckPending > 0:
		_ = o.reset(ctx, p, resetOrphaned)
		return o.cfg.PinTTL / 4
	case info.NumPending == 0 && !o.cfg.Elsewhere(p) && o.wakeParked(ctx, p, info):
		return o.cfg.PinTTL / 4
	}
	return o.cfg.PinTTL + o.cfg.PinTTL/4
}

// cede gives back a partition that was won from an owner who is alive.
func (o *Owner) cede(ctx context.Context, p partition.ID) {
	ctx, cancel := context.WithTimeout(ctx, o.cfg.PinTTL)
	defer cancel()
	if o.reset(ctx, p, resetCeded) == nil {
		_ = o.unpin(ctx, p)
	}
}

func (o *Owner) info(ctx context.Context, p partition.ID) (*jetstream.ConsumerInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, o.cfg.PinTTL)
	defer cancel()
	c, err := o.conn.js.Consumer(ctx, StreamUpdates, consumerName(p))
	if err != nil {
		return nil, fmt.Errorf("look at consumer %s: %w", consumerName(p), err)
	}
	return c.CachedInfo(), nil
}

func pinOf(info *jetstream.ConsumerInfo) string {
	for _, g := range info.PriorityGroups {
		if g.Group == group {
			return g.PinnedClientID
		}
	}
	return ""
}

// reset puts the consumer back to its ack floor: on a work queue that is exactly
// what is unfinished, in stream order.
func (o *Owner) reset(ctx context.Context, p partition.ID, reason string) error {
	ctx, cancel := context.WithTimeout(ctx, o.cfg.PinTTL)
	defer cancel()
	if _, err := o.conn.js.ResetConsumer(ctx, StreamUpdates, consumerName(p)); err != nil {
		return fmt.Errorf("reset consumer %s: %w", consumerName(p), err)
	}
	o.metrics.resets.WithLabelValues(reason).Inc()
	return nil
}

func (o *Owner) unpin(ctx context.Context, p partition.ID) error {
	s, err := o.conn.js.Stream(ctx, StreamUpdates)
	if err != nil {
		return fmt.Errorf("unpin %s: %w", consumerName(p), err)
	}
	if err := s.UnpinConsumer(ctx, consumerName(p), group); err != nil {
		return fmt.Errorf("unpin %s: %w", consumerName(p), err)
	}
	return nil
}

// identity is the creation time of the stream that stands now, its last sequence, and how far the
// broker's clock is ahead of ours, give or take half a round trip.
func (o *Owner) identity(ctx context.Context) (created int64, last uint64, ahead time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, o.cfg.PinTTL)
	defer cancel()
	s, asked, err := o.conn.look(ctx, StreamUpdates, o.cfg.PinTTL/4)
	if err != nil {
		return 0, 0, 0, err
	}
	info := s.CachedInfo()
	if !info.TimeStamp.IsZero() {
		ahead = info.TimeStamp.Sub(asked.Add(time.Since(asked) / 2))
	}
	return info.Created.UnixNano(), info.State.LastSeq, ahead, nil
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
