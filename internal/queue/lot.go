package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/partition"
)

// lot holds the parked lanes of one term. A parked lane's updates wait in the
// stream PARKED, in order, so that they take no place in the partition's window.
//
// What keeps the order: copies of a lane are written in order, by who has locked its
// space, and worked off by jobs of the lane, one at a time; everything in PARKED is older
// than everything of the lane that still waits in UPDATES; and an update that stands in
// both, or twice in PARKED, is skipped by its lane's cursor the second time.
// What a former owner copies when it is one no more is swept away; see copies.go.
type lot struct {
	conn *broker.Conn
	p    partition.ID
	turn func(*Delivery) Attempt
	log  *slog.Logger
	// submit queues a job in a lane, of the term that the lot belongs to.
	submit func(lane.Key, lane.Job) error
	open   func(lane.Key) []*Delivery  // what of a lane waits in UPDATES, in order
	mine   func(context.Context) error // asks the broker whether the partition is still ours
	stream int64
	ahead  time.Duration
	pin    string        // in the ids of copies: those of other owners are no repetitions
	sweeps atomic.Uint64 // likewise: what was swept away may be copied again
	over   atomic.Bool   // the partition is another's, who may have swept: nothing is copied any more

	parked *prometheus.CounterVec // by why

	mu     sync.Mutex
	lanes  map[lane.Key]*space
	closed bool
}

// retryStore is when to try again after a copy could not be written or read.
const retryStore = time.Second

// retryUnreadable is when to look again at a copy that cannot be read.
const retryUnreadable = time.Minute

// errUnreadable says that a copy is not ours, or not for this version.
var errUnreadable = errors.New("parked update is unreadable")

// load finds the lanes that an earlier owner parked. It gives up when the pin that
// it is done under runs out; so it only lists them. Each lane then looks by itself how
// long it has to wait.
func (l *lot) load(ctx context.Context, pinTTL time.Duration) error {
	looking, stop := context.WithTimeout(ctx, pinTTL)
	defer stop()
	s, _, err := l.conn.StreamWithRetry(looking, broker.StreamParked, pinTTL/4)
	if err != nil {
		return err
	}
	keys, err := l.list(looking, s)
	for _, k := range keys {
		l.inherit(k)
	}
	return err
}

// job is what the lane runs for a delivery: its turn, or the way to the lot. What
// has begun goes on in place, also when its lane is parked behind it.
func (l *lot) job(d *Delivery) lane.Job {
	run := l.turn(d)
	var aside time.Time // until when it has to wait, where the copy could not be written
	return func(ctx context.Context) time.Duration {
		if d.Finished() {
			return 0 // by the turn of its album
		}
		if left := time.Until(aside); left > 0 {
			return l.setAside(ctx, d, left)
		}
		for {
			s, here := l.begin(d)
			if here {
				break
			}
			if again, there := l.follow(ctx, s, d); there {
				return again
			}
		}
		next := run(ctx)
		if !next.Park {
			return next.Again
		}
		aside = time.Now().Add(next.Again)
		return l.setAside(ctx, d, next.Again)
	}
}

// setAside parks the lane, or holds the update where it is if its copy cannot be
// written: then that is tried again, and not the turn before its time.
func (l *lot) setAside(ctx context.Context, d *Delivery, left time.Duration) time.Duration {
	if again := l.park(ctx, d, left); again > 0 {
		return min(again, left)
	}
	l.parked.WithLabelValues(parkedWaiting).Inc()
	l.log.WarnContext(ctx, "lane parked", slog.String("lane", string(d.Lane)), slog.Duration("for", left))
	return 0
}

// park puts the update that runs aside, and its lane with it.
func (l *lot) park(ctx context.Context, d *Delivery, left time.Duration) time.Duration {
	s, fresh := l.enter(d.Lane)
	defer s.filling.Unlock()
	w := wait{left, d.Seq}
	if again := l.put(ctx, d, w, fresh); again > 0 {
		if fresh {
			l.release(d.Lane)
		}
		return again
	}
	l.hold(d.Lane, w)
	return 0
}

// empty is the job that works through a parked lane, one update at each call, so
// that a hand-over waits for one alone. Deliveries that wait behind it in the lane
// see the lane parked or free, as it leaves it.
func (l *lot) empty(k lane.Key) lane.Job {
	var d *Delivery
	var run Attempt
	return func(ctx context.Context) time.Duration {
		if d == nil {
			if !l.isAwake(k) {
				return 0 // it was given another time meanwhile
			}
			var err error
			d, err = l.headOrRelease(ctx, k)
			switch {
			case errors.Is(err, errUnreadable): // a newer version's, or nobody's: this lane alone waits for a person
				l.log.ErrorContext(ctx, "parked update is unreadable, its lane stands still", slog.String("lane", string(k)), slog.String("error", err.Error()))
				l.hold(k, wait{left: retryUnreadable})
				return 0
			case err != nil:
				l.log.WarnContext(ctx, "parked update not read, trying again", slog.String("lane", string(k)), slog.String("error", err.Error()))
				return retryStore
			case d == nil:
				return 0
			}
			w, err := l.waits(ctx, k)
			if w.left > 0 || err != nil {
				d = nil
			}
			switch {
			case err != nil:
				l.log.WarnContext(ctx, "time of a parked lane not read, trying again", slog.String("lane", string(k)), slog.String("error", err.Error()))
				return retryStore
			case d == nil:
				l.hold(k, w)
				return 0
			}
			run = l.turn(d)
		}
		next := run(ctx)
		switch {
		case next.Park:
			l.hold(k, wait{next.Again, d.Seq})
			return 0
		case next.Again > 0:
			return next.Again
		}
		d = nil
		return time.Nanosecond
	}
}

// headOrRelease returns the oldest parked update, or frees the lane when there is
// none and nobody is writing one.
func (l *lot) headOrRelease(ctx context.Context, k lane.Key) (*Delivery, error) {
	if d, err := l.head(ctx, k); d != nil || err != nil {
		return d, err
	}
	s := l.space(k)
	if s == nil {
		return nil, nil //nolint:nilnil // none is an answer here
	}
	s.filling.Lock()
	defer s.filling.Unlock()
	d, err := l.head(ctx, k)
	if d == nil && err == nil {
		l.release(k)
	}
	return d, err
}

// begin marks the delivery as begun, unless its lane is parked: then it goes there,
// or is there already.
func (l *lot) begin(d *Delivery) (s *space, here bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s = l.lanes[d.Lane]
	if s == nil && !d.Parking.Moved {
		d.Parking.Begun = true
	}
	return s, d.Parking.Begun
}

// follow puts the delivery behind the parked ones of its lane; false if the lane
// has been freed meanwhile.
func (l *lot) follow(ctx context.Context, s *space, d *Delivery) (again time.Duration, there bool) {
	if s != nil {
		s.filling.Lock()
		defer s.filling.Unlock()
	}
	switch {
	case l.hasMoved(d):
		return 0, true
	case l.space(d.Lane) != s:
		return 0, false
	}
	w, err := l.waits(ctx, d.Lane)
	if err != nil {
		l.log.WarnContext(ctx, "time of a parked lane not read, the update is held", slog.String("lane", string(d.Lane)), slog.String("error", err.Error()))
		return retryStore, true
	}
	return l.put(ctx, d, w, false), true
}

// listen frees lanes before their time when an operator says so. One that is parked
// nowhere but in copies of a former owner is swept.
func (l *lot) listen(ctx context.Context) (stop func(), err error) {
	sub, err := l.conn.NATS().Subscribe(freeSubject(l.p), func(m *nats.Msg) {
		answer, k := "not parked", lane.Key(m.Data)
		if l.free(k) || l.tidy(ctx, k) || l.free(k) { // what was being parked is parked now
			answer = freed
		}
		_ = m.Respond([]byte(answer)) // who asked may have gone
	})
	if err != nil {
		return nil, fmt.Errorf("listen for lanes to free: %w", err)
	}
	return func() { _ = sub.Unsubscribe() }, nil
}

const freed = "freed"

func freeSubject(p partition.ID) string { return "chatlane.lane.free." + strconv.Itoa(int(p)) }

// Free wakes a parked lane of partition p before its time. ErrNotFound says that its
// owner knows of no such lane; no owner at this moment is an error too.
func Free(ctx context.Context, c *broker.Conn, p partition.ID, k lane.Key) error {
	m, err := c.NATS().RequestWithContext(ctx, freeSubject(p), []byte(k))
	if err != nil {
		return fmt.Errorf("free lane %s: ask the owner of partition %d: %w", k, p, err)
	}
	if string(m.Data) != freed {
		return fmt.Errorf("free lane %s: %w", k, ErrNotFound)
	}
	return nil
}
