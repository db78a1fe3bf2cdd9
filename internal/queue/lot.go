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

	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/partition"
)

// lot holds the parked lanes of one term. A parked lane's updates wait in the
// stream PARKED, in order, so that they take no place in the partition's window.
//
// What keeps the order: a lane is parked, appended to and emptied only by jobs of
// that lane, one at a time; everything in PARKED is older than everything of the
// lane that still waits in UPDATES; and an update that stands in both, because its
// owner died between the copy and the acknowledgement, is skipped by its cursor.
// What a former owner copies when it is one no more is swept away; see copies.go.
type lot struct {
	conn *Conn
	p    partition.ID
	turn func(*Delivery) Turn
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

// space is one parked lane.
type space struct {
	filling sync.Mutex  // held while copies are written, and while it is given up
	timer   *time.Timer // wakes it; nil for a lane that was parked because it floods
	held    int         // how often it has been given a time
	awake   bool        // the job that empties it has been queued
	unread  bool        // an earlier owner parked it: for how long says its oldest copy
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
	s, _, err := l.conn.look(looking, StreamParked, pinTTL/4)
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
		if d.finished.Load() {
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
func (l *lot) setAside(ctx context.Context, d *Delivery, wait time.Duration) time.Duration {
	if again := l.park(ctx, d, wait); again > 0 {
		return min(again, wait)
	}
	l.parked.WithLabelValues(parkedWaiting).Inc()
	l.log.WarnContext(ctx, "lane parked", slog.String("lane", string(d.Lane)), slog.Duration("for", wait))
	return 0
}

// park puts the update that runs aside, and its lane with it.
func (l *lot) park(ctx context.Context, d *Delivery, wait time.Duration) time.Duration {
	s, fresh := l.enter(d.Lane)
	defer s.filling.Unlock()
	if again := l.put(ctx, d, wait, fresh); again > 0 {
		if fresh {
			l.release(d.Lane)
		}
		return again
	}
	l.hold(d.Lane, wait)
	return 0
}

// empty is the job that works through a parked lane, one update at each call, so
// that a hand-over waits for one alone. Deliveries that wait behind it in the lane
// see the lane parked or free, as it leaves it.
func (l *lot) empty(k lane.Key) lane.Job {
	var d *Delivery
	var run Turn
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
				l.hold(k, retryUnreadable)
				return 0
			case err != nil:
				l.log.WarnContext(ctx, "parked update not read, trying again", slog.String("lane", string(k)), slog.String("error", err.Error()))
				return retryStore
			case d == nil:
				return 0
			}
			if left := l.read(k, d); left > 0 {
				d = nil
				l.hold(k, left)
				return 0
			}
			run = l.turn(d)
		}
		next := run(ctx)
		switch {
		case next.Park:
			l.hold(k, next.Again)
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

// space is nil for a lane that is not parked.
func (l *lot) space(k lane.Key) *space {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lanes[k]
}

// begin marks the delivery as begun, unless its lane is parked: then it goes there,
// or is there already.
func (l *lot) begin(d *Delivery) (s *space, here bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s = l.lanes[d.Lane]
	if s == nil && !d.moved {
		d.begun = true
	}
	return s, d.begun
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
	return l.put(ctx, d, 0, false), true
}

// hold parks a lane, and queues the job that empties it when the time has come.
func (l *lot) hold(k lane.Key, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.set(k, wait)
}

// inherit parks a lane that an earlier owner parked. Nobody here knows yet how long it has
// to wait, so it looks at once.
func (l *lot) inherit(k lane.Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.set(k, 0); s != nil {
		s.unread = true
	}
}

// set gives a lane its time. It needs l.mu, and returns nil when the term is over.
func (l *lot) set(k lane.Key, wait time.Duration) *space {
	if l.closed {
		return nil
	}
	s := l.lanes[k]
	if s == nil {
		s = &space{}
		l.lanes[k] = s
	}
	s.stop()
	s.awake = false
	s.held++
	held := s.held
	s.timer = time.AfterFunc(max(wait, 0), func() { l.due(s, k, held) })
	return s
}

// due wakes a lane when its time has come, unless it has another one by now.
func (l *lot) due(s *space, k lane.Key, held int) {
	l.mu.Lock()
	due := s.held == held && l.lanes[k] == s
	s.awake = s.awake || due
	l.mu.Unlock()
	if due {
		_ = l.submit(k, l.empty(k))
	}
}

// read tells how long a lane has still to wait that an earlier owner parked, once.
func (l *lot) read(k lane.Key, oldest *Delivery) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.lanes[k]
	if s == nil || !s.unread {
		return 0
	}
	s.unread = false
	return oldest.parkLeft
}

func (l *lot) isAwake(k lane.Key) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.lanes[k]
	return s != nil && s.awake
}

// stop needs the lot's mu.
func (s *space) stop() {
	if s.timer != nil {
		s.timer.Stop()
	}
}

// wake queues the emptying; a term that ends meanwhile leaves it to the next owner.
func (l *lot) wake(k lane.Key) {
	l.mu.Lock()
	if s := l.lanes[k]; s != nil {
		s.awake = true
	}
	l.mu.Unlock()
	_ = l.submit(k, l.empty(k))
}

// rewake queues again what a resynchronisation may have discarded. To empty a
// lane that is empty already does nothing, nor does it where the lane has been given
// another time since.
func (l *lot) rewake() {
	for _, k := range l.awake() {
		_ = l.submit(k, l.empty(k))
	}
}

func (l *lot) awake() []lane.Key {
	l.mu.Lock()
	defer l.mu.Unlock()
	var keys []lane.Key
	for k, s := range l.lanes {
		if s.awake {
			keys = append(keys, k)
		}
	}
	return keys
}

// listen frees lanes before their time when an operator says so. One that is parked
// nowhere but in copies of a former owner is swept.
func (l *lot) listen(ctx context.Context) (stop func(), err error) {
	sub, err := l.conn.nc.Subscribe(freeSubject(l.p), func(m *nats.Msg) {
		answer, k := "not parked", lane.Key(m.Data)
		if l.space(k) != nil {
			l.free(k)
			answer = freed
		} else if l.tidy(ctx, k) {
			answer = freed
		}
		_ = m.Respond([]byte(answer)) // who asked may have gone
	})
	if err != nil {
		return nil, fmt.Errorf("listen for lanes to free: %w", err)
	}
	return func() { _ = sub.Unsubscribe() }, nil
}

// free wakes a parked lane now, however long it would have waited.
func (l *lot) free(k lane.Key) {
	l.mu.Lock()
	if s := l.lanes[k]; s != nil {
		s.unread = false
	}
	l.mu.Unlock()
	l.hold(k, 0)
}

const freed = "freed"

func freeSubject(p partition.ID) string { return "chatlane.lane.free." + strconv.Itoa(int(p)) }

// Free wakes a parked lane of partition p before its time. ErrNotFound says that its
// owner knows of no such lane; no owner at this moment is an error too.
func (c *Conn) Free(ctx context.Context, p partition.ID, k lane.Key) error {
	m, err := c.nc.RequestWithContext(ctx, freeSubject(p), []byte(k))
	if err != nil {
		return fmt.Errorf("free lane %s: ask the owner of partition %d: %w", k, p, err)
	}
	if string(m.Data) != freed {
		return fmt.Errorf("free lane %s: %w", k, ErrNotFound)
	}
	return nil
}

func (l *lot) release(k lane.Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.lanes[k]; s != nil {
		s.stop()
	}
	delete(l.lanes, k)
}

// close stops the timers; what is parked stays in the stream.
func (l *lot) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, s := range l.lanes {
		s.stop()
	}
}
