package parking

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/queue"
)

// errUnreadable means a copy that is not ours, or of another version.
var errUnreadable = errors.New("parked update is unreadable")

// head is the oldest parked update of a lane, nil for none. Its Ack removes the copy.
func (l *Lanes) head(ctx context.Context, k lane.Key) (*queue.Delivery, error) {
	d, _, err := l.from(ctx, k, 1)
	return d, err
}

// from is the lane's oldest parked update at or after parkedSeq in PARKED, with its sequence there.
func (l *Lanes) from(ctx context.Context, k lane.Key, parkedSeq uint64) (*queue.Delivery, uint64, error) {
	s, err := l.stream(ctx)
	if err != nil {
		return nil, 0, err
	}
	m, err := s.GetMsg(ctx, parkedSeq, jetstream.WithGetMsgSubject(l.subject(k)))
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return nil, 0, nil
	case errors.Is(err, nats.ErrBadHeaderMsg):
		return nil, 0, fmt.Errorf("read parked lane %s: %w: %w", k, errUnreadable, err)
	case err != nil:
		return nil, 0, fmt.Errorf("read parked lane %s: %w", k, err)
	}
	u, err := queue.DecodeUpdate(m.Subject, m.Header, m.Data)
	if err == nil {
		err = l.checkPosition(m.Header)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read parked lane %s: %w: message %d of %s: %w", k, errUnreadable, m.Sequence, l.conn.Names().Parked(), err)
	}
	d := &queue.Delivery{
		Update: u, Seq: uint64(queue.HeaderInt(m.Header, queue.HeaderSequence)), Stream: queue.HeaderInt(m.Header, queue.HeaderStream),
		Stored: time.Unix(0, queue.HeaderInt(m.Header, headerStored)), Inherited: true,
	}
	d.Arrive(queue.Origin{
		Work: ctx, Header: m.Header, Age: time.Now().Add(l.cfg.Ahead).Sub(d.Stored),
		Ack:    func() error { return s.DeleteMsg(context.WithoutCancel(ctx), m.Sequence) },
		Behind: func(ctx context.Context) ([]*queue.Delivery, error) { return l.behind(ctx, d, m.Sequence+1) },
	})
	return d, m.Sequence, nil
}

var errPosition = errors.New("its position is not one of the stream of updates; remove the message")

// checkPosition refuses a position that no update can have: it would move the lane's cursor past all
// updates before. An older stream is no danger, since a newer stream's cursor replaces its cursor.
func (l *Lanes) checkPosition(h nats.Header) error {
	seq, stream := queue.HeaderInt(h, queue.HeaderSequence), queue.HeaderInt(h, queue.HeaderStream)
	switch {
	case seq <= 0, stream <= 0, stream > l.cfg.Stream:
		return errPosition
	case stream == l.cfg.Stream && uint64(seq) > l.window.last():
		return errPosition
	}
	return nil
}

// mostBehind bounds how far Behind looks into a parked lane: each costs a round trip.
const mostBehind = 24

// Behind lists the lane's waiting updates behind d, in order, parked ones first. It may miss some.
func (l *Lanes) Behind(ctx context.Context, d *queue.Delivery) ([]*queue.Delivery, error) {
	return l.behind(ctx, d, 1)
}

func (l *Lanes) behind(ctx context.Context, d *queue.Delivery, parkedSeq uint64) ([]*queue.Delivery, error) {
	var found []*queue.Delivery
	last := d.Seq
	add := func(other *queue.Delivery) {
		if other.Stream == d.Stream && other.Seq > last {
			found, last = append(found, other), other.Seq
		}
	}
	for n := 0; n < mostBehind && l.parkedLane(d.Lane) != nil; n++ {
		other, at, err := l.from(ctx, d.Lane, parkedSeq)
		if err != nil {
			return nil, err
		}
		if other == nil {
			break
		}
		add(other)
		parkedSeq = at + 1
	}
	for _, other := range l.window.of(d.Lane) {
		if !l.hasMoved(other) {
			add(other.Delivery)
		}
	}
	return found, nil
}

// storedWait reads the wait in the newest copy. The time counts if the update that it names is the oldest.
func (l *Lanes) storedWait(ctx context.Context, k lane.Key) (wait, error) {
	oldest, err := l.head(ctx, k)
	if errors.Is(err, errUnreadable) {
		return wait{}, nil // it carries no time, and others go behind it
	}
	if err != nil || oldest == nil {
		return wait{}, err
	}
	s, err := l.stream(ctx)
	if err != nil {
		return wait{}, err
	}
	m, err := s.GetLastMsgForSubject(ctx, l.subject(k))
	if err != nil {
		return wait{}, fmt.Errorf("read parked lane %s: %w", k, err)
	}
	w := wait{waiting: uint64(queue.HeaderInt(m.Header, headerWaiting))}
	if w.waiting == oldest.Seq {
		w.left = max(0, time.Duration(queue.HeaderInt(m.Header, headerWait))*time.Millisecond-time.Now().Add(l.cfg.Ahead).Sub(m.Time))
	}
	return w, nil
}

// stream reads PARKED from its leader: a direct answer may come from a lagging replica, and mixes
// the broker's headers with stored ones, which could name another message.
func (l *Lanes) stream(ctx context.Context) (jetstream.Stream, error) {
	return parkedStream(ctx, l.conn)
}

func parkedStream(ctx context.Context, conn *broker.Conn) (jetstream.Stream, error) {
	s, err := conn.Stream(ctx, conn.Names().Parked())
	if err == nil {
		s.CachedInfo().Config.AllowDirect = false
	}
	return s, err
}

func (l *Lanes) subject(k lane.Key) string {
	return broker.LaneSubject(l.conn.Names().ParkedPrefix(), l.cfg.Partition, k)
}
