package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/fleet"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/partition"
)

var errHand = errors.New("partition belongs to another worker")

// OwnerConfig holds what all partitions of a worker share.
type OwnerConfig struct {
	PinTTL time.Duration // as in Topology
	Window int           // as in Topology
	// Role is what this worker is to a partition. Nil means the owner of all. It may be
	// wrong for a moment: the pin decides.
	Role func(partition.ID) fleet.Role
	// Hold is told of each partition that is taken over; it returns what is called when
	// it is given up or lost. Nil tells nobody.
	Hold   func(partition.ID) (drop func())
	Logger *slog.Logger
}

func (c OwnerConfig) withDefaults() OwnerConfig {
	c.PinTTL = cmp.Or(c.PinTTL, 2*time.Second)
	c.Window = cmp.Or(c.Window, 256)
	if c.Role == nil {
		c.Role = func(partition.ID) fleet.Role { return fleet.RoleOwner }
	}
	if c.Hold == nil {
		c.Hold = func(partition.ID) func() { return func() {} }
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Owner takes partitions over, works on them, and hands them over. See the
// package comment for the protocol. Safe for concurrent use, one Run per partition.
type Owner struct {
	conn    *broker.Conn
	cfg     OwnerConfig
	slots   *lane.Slots
	metrics ownerMetrics
}

// NewOwner makes an owner whose turns share slots.
func NewOwner(conn *broker.Conn, cfg OwnerConfig, slots *lane.Slots, reg prometheus.Registerer) *Owner {
	return &Owner{conn: conn, cfg: cfg.withDefaults(), slots: slots, metrics: newOwnerMetrics(reg)}
}

// Run owns partition p, or stands by for it, until ctx ends; then it lets running
// turns end, hands the partition over and returns nil. Turns run under work, which
// outlives ctx for as long as the caller grants them.
func (o *Owner) Run(ctx, work context.Context, p partition.ID, turn func(*Delivery) Attempt) error {
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
		if o.elsewhere(p) && time.Since(ceded) > 4*o.cfg.PinTTL {
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
	for until := time.Now().Add(o.cfg.PinTTL); ctx.Err() == nil && o.elsewhere(p) && time.Now().Before(until); {
		pause(ctx, o.cfg.PinTTL/40)
	}
}

// elsewhere tells that a partition is another worker's.
func (o *Owner) elsewhere(p partition.ID) bool { return o.cfg.Role(p) != fleet.RoleOwner }

// await stands by until the broker pins p to this worker, and returns the pin.
// The message that came with it is kept nowhere: the reset brings it again.
func (o *Owner) await(ctx context.Context, p partition.ID) (pin string, err error) {
	for w := (watch{}); pin == "" && err == nil; {
		pin, err = o.stand(ctx, p, &w, o.asks(p, &w))
	}
	return pin, err
}

// watch is what who waits for a pin has seen.
type watch struct {
	orphaned int // looks, one after the other, at which updates waited and nobody was pinned
}

// neglect is how many such looks make a partition free for everybody. They are PinTTL/8 apart.
const neglect = 8

// asks tells whether this worker may ask for the pin: also when it is another's turn,
// who is alive and does not.
func (o *Owner) asks(p partition.ID, w *watch) bool {
	return o.cfg.Role(p) != fleet.RoleBystander || w.orphaned >= neglect
}

// stand is await for as long as the worker asks for the pin, or for as long as it does
// not: then it returns nothing, and has taken back what it asked for.
func (o *Owner) stand(ctx context.Context, p partition.ID, w *watch, asks bool) (string, error) {
	f, err := openFeed(o.conn.NATS(), broker.ConsumerName(p), 16)
	if err != nil {
		return "", err
	}
	defer f.close()
	unpinned, err := o.conn.NATS().ChanSubscribe("$JS.EVENT.ADVISORY.CONSUMER.UNPINNED."+broker.StreamUpdates+"."+broker.ConsumerName(p), f.in)
	if err != nil {
		return "", fmt.Errorf("subscribe to unpinned advisory: %w", err)
	}
	defer func() { _ = unpinned.Unsubscribe() }()
	turned := func() bool { return o.asks(p, w) != asks }
	for wait := o.cfg.PinTTL / 20; !turned(); {
		if asks {
			if err := f.pull(pullRequest{Batch: 1, Expires: o.cfg.PinTTL}); err != nil {
				return "", err
			}
		}
		pin, err := o.awaitPin(ctx, f, unpinned.Subject, wait, turned)
		if pin != "" || err != nil {
			return pin, err
		}
		wait = o.freeOrphans(ctx, p, w)
	}
	return "", nil
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
				return HeaderValue(m.Header, headerPin), nil
			}
		}
	}
}

// freeOrphans resets a consumer that nobody is pinned to while messages wait for
// the acknowledgement of a worker that is gone, and wakes one whose updates are all
// parked. It returns when to look again: soon
// while another worker has the first right to do it, for as long as it may yet.
func (o *Owner) freeOrphans(ctx context.Context, p partition.ID, w *watch) (again time.Duration) {
	info, err := o.info(ctx, p)
	if err == nil && pinOf(info) == "" && info.NumPending+uint64(info.NumAckPending) > 0 {
		w.orphaned++
	} else {
		w.orphaned = 0
	}
	switch {
	case err != nil, pinOf(info) != "":
	case w.orphaned > 0 && w.orphaned < neglect && o.elsewhere(p):
		return o.cfg.PinTTL / 8
	case info.NumAckPending > 0:
		_ = o.reset(ctx, p, resetOrphaned)
		return o.cfg.PinTTL / 4
	case info.NumPending == 0 && !o.elsewhere(p) && o.wakeParked(ctx, p, info):
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
	c, err := o.conn.JetStream().Consumer(ctx, broker.StreamUpdates, broker.ConsumerName(p))
	if err != nil {
		return nil, fmt.Errorf("look at consumer %s: %w", broker.ConsumerName(p), err)
	}
	return c.CachedInfo(), nil
}

func pinOf(info *jetstream.ConsumerInfo) string {
	for _, g := range info.PriorityGroups {
		if g.Group == broker.PinGroup {
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
	if _, err := o.conn.JetStream().ResetConsumer(ctx, broker.StreamUpdates, broker.ConsumerName(p)); err != nil {
		return fmt.Errorf("reset consumer %s: %w", broker.ConsumerName(p), err)
	}
	o.metrics.resets.WithLabelValues(reason).Inc()
	return nil
}

func (o *Owner) unpin(ctx context.Context, p partition.ID) error {
	s, err := o.conn.JetStream().Stream(ctx, broker.StreamUpdates)
	if err != nil {
		return fmt.Errorf("unpin %s: %w", broker.ConsumerName(p), err)
	}
	if err := s.UnpinConsumer(ctx, broker.ConsumerName(p), broker.PinGroup); err != nil {
		return fmt.Errorf("unpin %s: %w", broker.ConsumerName(p), err)
	}
	return nil
}

// identity is the creation time of the stream that stands now, its last sequence, and how far the
// broker's clock is ahead of ours, give or take half a round trip.
func (o *Owner) identity(ctx context.Context) (created int64, last uint64, ahead time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, o.cfg.PinTTL)
	defer cancel()
	s, asked, err := o.conn.StreamWithRetry(ctx, broker.StreamUpdates, o.cfg.PinTTL/4)
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
