package parking

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/partition"
	"github.com/chatlane/chatlane/internal/queue"
)

// Term is what parking needs of its term.
type Term interface {
	// Submit queues a job in a lane. An error means that the term is over.
	Submit(k lane.Key, job lane.Job) error
	// Confirm asks the broker for the term's pin; [queue.ErrPinLost] means that it is another's.
	Confirm(ctx context.Context) error
}

// Config describes the term.
type Config struct {
	Partition partition.ID
	Window    int           // as in broker.Topology
	Stream    int64         // creation time of UPDATES, Unix nanoseconds: its identity
	Last      uint64        // its last sequence when the term began
	Pin       string        // in the ids of copies: those of other owners are no duplicates
	Ahead     time.Duration // how far the broker's clock is ahead of ours
	Attempt   func(*queue.Delivery) queue.Attempt
	Metrics   Metrics
	Logger    *slog.Logger
}

// Lanes holds a term's window and parked lanes. Safe for concurrent use, except where a method says otherwise.
type Lanes struct {
	cfg    Config
	conn   *broker.Conn
	term   Term
	log    *slog.Logger
	window window

	prunes     atomic.Uint64 // in the ids of copies: what was pruned may be copied again
	over       atomic.Bool   // another worker has the pin and may have pruned: copy nothing
	pruned     time.Time     // last look for orphaned copies
	background sync.WaitGroup

	mu     sync.Mutex
	parked map[lane.Key]*parkedLane
	closed bool
}

// New makes the lanes of a term, none of them parked.
func New(cfg Config, conn *broker.Conn, term Term) *Lanes {
	return &Lanes{cfg: cfg, conn: conn, term: term, log: cfg.Logger, window: newWindow(cfg.Window, cfg.Last), parked: make(map[lane.Key]*parkedLane)}
}

// Load lists an earlier owner's parked lanes, within pinTTL: the pin must not run out. Each lane reads its own time.
func (l *Lanes) Load(ctx context.Context, pinTTL time.Duration) error {
	l.pruned = time.Now().Add(-time.Duration(l.cfg.Partition) * time.Second % pruneEvery) // spread over the partitions
	ctx, stop := context.WithTimeout(ctx, pinTTL)
	defer stop()
	s, _, err := l.conn.StreamWithRetry(ctx, l.conn.Names().Parked(), pinTTL/4)
	if err != nil {
		return err
	}
	keys, err := l.list(ctx, s)
	for _, k := range keys {
		l.inherit(k)
	}
	return err
}

// Deliver queues a delivery in its lane. It may begin to move a flood, under ctx.
func (l *Lanes) Deliver(ctx context.Context, d *queue.Delivery) error {
	e := &entry{Delivery: d, attempt: l.cfg.Attempt(d)}
	flood := l.window.add(e)
	if err := l.term.Submit(d.Lane, func(ctx context.Context) time.Duration { return l.run(ctx, e) }); err != nil {
		return fmt.Errorf("lane %s: %w", d.Lane, err)
	}
	if len(flood) > 0 {
		l.background.Go(func() {
			l.moveFlood(ctx, flood)
			l.window.relieved(flood[0].Lane)
		})
	}
	return nil
}

// Finish takes an acknowledged delivery out of the window.
func (l *Lanes) Finish(d *queue.Delivery) { l.window.remove(d) }

// Finished counts the acknowledgements since the last call.
func (l *Lanes) Finished() int { return l.window.finished() }

// Unfinished counts the deliveries in the window, with the age of the oldest.
func (l *Lanes) Unfinished() (n int, oldest time.Duration) { return l.window.held() }

// Resync empties the window, and queues the jobs of parked lanes that a resync may have discarded.
func (l *Lanes) Resync() {
	l.window.clear()
	l.rewake()
}

// Wait returns when no flood is being moved and no orphan pruned.
func (l *Lanes) Wait() { l.background.Wait() }

// Close stops the timers; parked updates stay in the stream.
func (l *Lanes) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, p := range l.parked {
		p.stop()
	}
}
