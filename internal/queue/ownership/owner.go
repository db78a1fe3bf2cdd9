package ownership

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/fleet"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/partition"
	"github.com/chatlane/chatlane/internal/queue"
)

// errElsewhere ends a term after a hand-over to the plan's worker.
var errElsewhere = errors.New("partition belongs to another worker")

// Config holds what all partitions of a worker share.
type Config struct {
	PinTTL time.Duration // as in broker.Topology; 0 means 2 s
	Window int           // as in broker.Topology; 0 means 256
	// Role may be wrong for a moment: the pin decides. Nil means owner of all.
	Role func(partition.ID) fleet.Role
	// Hold is called for each partition taken over, and drop when it is handed over or lost. May be nil.
	Hold   func(partition.ID) (drop func())
	Logger *slog.Logger // nil: logs nothing
}

func (c Config) withDefaults() Config {
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

// Owner takes partitions over, works on them, and hands them over. Safe for concurrent use, one Run per partition.
type Owner struct {
	conn    *broker.Conn
	cfg     Config
	slots   *lane.Slots
	metrics metrics
}

// New makes an owner whose attempts share slots. It starts nothing.
func New(cfg Config, conn *broker.Conn, slots *lane.Slots, reg prometheus.Registerer) *Owner {
	return &Owner{conn: conn, cfg: cfg.withDefaults(), slots: slots, metrics: newMetrics(reg)}
}

// Run owns partition p, or stands by for it. When ctx ends it waits for running attempts, hands the partition
// over and returns nil. Attempts run under work, which outlives ctx for as long as the caller grants them.
func (o *Owner) Run(ctx, work context.Context, p partition.ID, attempt func(*queue.Delivery) queue.Attempt) error {
	log := o.cfg.Logger.With(slog.Int("partition", int(p)))
	vain := patience{first: 4 * o.cfg.PinTTL, most: 16 * o.cfg.PinTTL}
	for ctx.Err() == nil {
		pin, err := o.awaitPin(ctx, p)
		if err != nil {
			if ctx.Err() == nil {
				log.WarnContext(ctx, "standby interrupted, trying again", slog.String("error", err.Error()))
				pause(ctx, o.cfg.PinTTL/4)
			}
			continue
		}
		if o.elsewhere(p) && !vain.lasts() {
			vain.released()
			o.releaseToOwner(work, p)
			o.stepBack(ctx, p)
			continue
		}
		err = o.runTerm(ctx, work, p, pin, vain.keep(o.elsewhere(p)), attempt)
		switch {
		case errors.Is(err, errElsewhere):
			vain.released()
			o.stepBack(ctx, p)
		case err != nil:
			log.WarnContext(ctx, "partition lost, standing by for it", slog.String("error", err.Error()))
			pause(ctx, o.cfg.PinTTL/20)
		}
	}
	return nil
}

// patience says how long a worker keeps a partition that the plan gives to another worker,
// which did not take it.
type patience struct {
	first, most time.Duration
	next        time.Duration
	gaveUp      time.Time
}

func (p *patience) released() { p.gaveUp = time.Now() }

// lasts reports that the partition was given up a moment ago, and came back.
func (p *patience) lasts() bool {
	return !p.gaveUp.IsZero() && time.Since(p.gaveUp) <= max(p.first, p.next)
}

// keep is until when a term ignores the plan. Each time that the partition comes back it is
// longer.
func (p *patience) keep(elsewhere bool) (until time.Time) {
	if !elsewhere {
		p.next = 0
		return time.Time{}
	}
	p.next = min(max(2*p.next, p.first), p.most)
	return time.Now().Add(p.next)
}

// stepBack leaves the partition to the worker that the plan names, for PinTTL at most:
// the plan may change, and no other worker come.
func (o *Owner) stepBack(ctx context.Context, p partition.ID) {
	for until := time.Now().Add(o.cfg.PinTTL); ctx.Err() == nil && o.elsewhere(p) && time.Now().Before(until); {
		pause(ctx, o.cfg.PinTTL/40)
	}
}

func (o *Owner) elsewhere(p partition.ID) bool { return o.cfg.Role(p) != fleet.RoleOwner }

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
