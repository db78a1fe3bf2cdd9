package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
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

	parked *prometheus.CounterVec // by why

	mu     sync.Mutex
	lanes  map[lane.Key]*space
	closed bool
}

// space is one parked lane.
type space struct {
	filling sync.Mutex  // held while copies are written, and while it is given up
	timer   *time.Timer // wakes it; nil for a lane that was parked because it floods
	awake   bool        // the job that empties it has been queued
}

// Headers of a parked copy: what a delivery knows and the copy would forget.
const (
	headerStream = "Chatlane-Stream"
	headerStored = "Chatlane-Stored"
	headerFor    = "Chatlane-Park-Ms"

	retryStore = time.Second // after a copy that could not be written or read
)

// load finds the lanes that an earlier owner parked. It gives up when the pin that
// it is done under runs out.
func (l *lot) load(ctx context.Context, pinTTL time.Duration) error {
	looking, stop := context.WithTimeout(ctx, pinTTL)
	defer stop()
	s, _, err := l.conn.look(looking, StreamParked, pinTTL/4)
	if err != nil {
		return err
	}
	info, err := s.Info(looking, jetstream.WithSubjectFilter(parkedPrefix+strconv.Itoa(int(l.p))+".>"))
	if err != nil {
		return fmt.Errorf("list parked lanes of partition %d: %w", l.p, err)
	}
	for subject := range info.State.Subjects {
		if _, k, err := parseSubject(subject); err == nil {
			d, err := l.head(ctx, k)
			if err != nil {
				return err
			}
			if d != nil {
				l.hold(k, d.parkLeft)
			}
		}
	}
	return nil
}

// job is what the lane runs for a delivery: its turn, or the way to the lot. What
// has begun goes on in place, also when its lane is parked behind it.
func (l *lot) job(d *Delivery) lane.Job {
	run := l.turn(d)
	return func(ctx context.Context) time.Duration {
		if d.finished.Load() {
			return 0 // by the turn of its album
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
		if again := l.put(ctx, d, next.Again); again > 0 {
			return again // held where it is: the copy could not be written
		}
		l.hold(d.Lane, next.Again)
		l.parked.WithLabelValues(parkedWaiting).Inc()
		l.log.WarnContext(ctx, "lane parked", slog.String("lane", string(d.Lane)), slog.Duration("for", next.Again))
		return 0
	}
}

// empty is the job that works through a parked lane, one update at each call, so
// that a hand-over waits for one alone. Deliveries that wait behind it in the lane
// see the lane parked or free, as it leaves it.
func (l *lot) empty(k lane.Key) lane.Job {
	var d *Delivery
	var run Turn
	return func(ctx context.Context) time.Duration {
		if d == nil {
			var err error
			if d, err = l.headOrRelease(ctx, k); err != nil {
				l.log.WarnContext(ctx, "parked update not read, trying again", slog.String("lane", string(k)), slog.String("error", err.Error()))
				return retryStore
			}
			if d == nil {
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

// put stores a copy behind the others of its lane, then lets go of the original. In
// between it asks whether the partition is ours: only then does whoever comes next
// find the copy when it lists the parked lanes. A copy that came later than that list
// is skipped by its lane's cursor some day, and its original must still be there.
func (l *lot) put(ctx context.Context, d *Delivery, wait time.Duration) time.Duration {
	if err := l.copy(ctx, d, wait); err != nil {
		l.log.WarnContext(ctx, "parked copy not written, the update is held", slog.String("lane", string(d.Lane)), slog.String("error", err.Error()))
		return retryStore
	}
	if l.mine(ctx) != nil {
		return retryStore
	}
	l.letGo(ctx, d)
	return 0
}

func (l *lot) letGo(ctx context.Context, d *Delivery) {
	if err := d.Ack(ctx); err != nil {
		l.log.DebugContext(ctx, "parked update not acknowledged, it comes again", slog.String("error", err.Error()))
	}
}

// copy writes to the end of the parked lane; a second copy is the broker's duplicate.
func (l *lot) copy(ctx context.Context, d *Delivery, wait time.Duration) error {
	h := d.Update.header()
	set := func(name string, v int64) { h[name] = []string{strconv.FormatInt(v, 10)} }
	set(headerSeq, int64(d.Seq))
	set(headerStream, d.Stream)
	set(headerStored, d.Stored.UnixNano())
	set(headerFor, wait.Milliseconds())
	for _, name := range []string{"traceparent", "tracestate"} {
		if v := d.Header(name); v != "" {
			h[name] = []string{v}
		}
	}
	h[jetstream.MsgIDHeader] = []string{placeID(d.Lane, d.Stream, d.Seq)}
	msg := &nats.Msg{Subject: laneSubject(parkedPrefix, l.p, d.Lane), Header: h, Data: d.Body}
	_, err := l.conn.js.PublishMsg(ctx, msg, jetstream.WithExpectStream(StreamParked))
	return err
}

// head is the oldest parked update of a lane, nil for none. Its Ack removes the copy.
func (l *lot) head(ctx context.Context, k lane.Key) (*Delivery, error) {
	d, _, err := l.from(ctx, k, 1)
	return d, err
}

// from is the oldest parked update of a lane at or behind a place in PARKED, with its place.
func (l *lot) from(ctx context.Context, k lane.Key, place uint64) (*Delivery, uint64, error) {
	s, err := l.conn.js.Stream(ctx, StreamParked)
	if err != nil {
		return nil, 0, fmt.Errorf("look at stream %s: %w", StreamParked, err)
	}
	m, err := s.GetMsg(ctx, place, jetstream.WithGetMsgSubject(laneSubject(parkedPrefix, l.p, k)))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read parked lane %s: %w", k, err)
	}
	u, err := readUpdate(m.Subject, m.Header, m.Data)
	if err != nil {
		return nil, 0, fmt.Errorf("read parked lane %s: %w", k, err)
	}
	d := &Delivery{
		Update: u, Seq: uint64(headerInt(m.Header, headerSeq)), Stream: headerInt(m.Header, headerStream),
		Stored: time.Unix(0, headerInt(m.Header, headerStored)), header: m.Header, Inherited: true,
		work: ctx, arrived: time.Now(),
	}
	now := d.arrived.Add(l.ahead)
	d.aged = max(0, now.Sub(d.Stored))
	d.parkLeft = time.Duration(headerInt(m.Header, headerFor))*time.Millisecond - now.Sub(m.Time)
	d.ack = func() error { return s.DeleteMsg(context.WithoutCancel(ctx), m.Sequence) }
	d.behind = func(ctx context.Context) ([]*Delivery, error) { return l.behind(ctx, d, m.Sequence+1) }
	return d, m.Sequence, nil
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
	return l.put(ctx, d, 0), true
}

// hold parks a lane, and queues the job that empties it when the time has come.
func (l *lot) hold(k lane.Key, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	s := l.lanes[k]
	if s == nil {
		s = &space{}
		l.lanes[k] = s
	}
	s.stop()
	s.awake = false
	s.timer = time.AfterFunc(max(wait, 0), func() { l.wake(k) })
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
// lane that is empty already does nothing.
func (l *lot) rewake() {
	for _, k := range l.awake() {
		l.wake(k)
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

// listen frees lanes before their time when an operator says so.
func (l *lot) listen() (stop func(), err error) {
	sub, err := l.conn.nc.Subscribe(freeSubject(l.p), func(m *nats.Msg) {
		answer := "not parked"
		if k := lane.Key(m.Data); l.space(k) != nil {
			l.hold(k, 0)
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
