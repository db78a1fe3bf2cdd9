package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/lane"
)

// Headers of a parked copy: what a delivery knows and the copy would forget.
const (
	headerStored = "Chatlane-Stored"
	headerFor    = "Chatlane-Park-Ms"  // how long the lane is to wait
	headerWho    = "Chatlane-Park-Seq" // and for which update
)

// put stores a copy behind the others of its lane, then lets go of the original. In
// between it asks whether the partition is ours: only then does whoever comes next
// find the copy when it lists the parked lanes. A copy that came later than that list
// is swept away some day, and its original must still be there.
// The first copy of a lane is fresh. The caller has entered the lane's space.
func (l *lot) put(ctx context.Context, d *Delivery, w wait, fresh bool) time.Duration {
	if _, err := l.copy(ctx, d, w, expectation(fresh)); err != nil {
		l.log.WarnContext(ctx, "parked copy not written, the update is held", slog.String("lane", string(d.Lane)), slog.String("error", err.Error()))
		return retryStore
	}
	if err := l.confirm(ctx); err != nil {
		l.log.WarnContext(ctx, "partition not confirmed after a copy, the update is held", slog.String("lane", string(d.Lane)), slog.String("error", err.Error()))
		return retryStore
	}
	l.letGo(ctx, d)
	return 0
}

// confirm asks whether the partition is ours. A pin that is lost once is never this
// term's again.
func (l *lot) confirm(ctx context.Context) error {
	err := l.mine(ctx)
	if errors.Is(err, ErrPinLost) {
		l.over.Store(true)
	}
	return err
}

func (l *lot) letGo(ctx context.Context, d *Delivery) {
	if err := d.Ack(ctx); err != nil {
		l.log.DebugContext(ctx, "parked update not acknowledged, it comes again", slog.String("error", err.Error()))
	}
}

// last is what a copy finds as the last one of its lane.
type last struct {
	known bool
	seq   uint64 // 0: none
}

// expectation is that of a lane's first copy: none. Behind others anything may be last.
func expectation(fresh bool) last { return last{known: fresh} }

// copy writes to the end of the parked lane, and tells what is last there now. The first copy
// finds the lane empty, or makes it so. Where the copy before is known, it has to be the
// last one: else this owner is one no more, and its successor has begun anew.
func (l *lot) copy(ctx context.Context, d *Delivery, w wait, behind last) (last, error) {
	if !behind.known {
		return l.write(ctx, d, w)
	}
	expect := jetstream.WithExpectLastSequencePerSubject(behind.seq)
	at, err := l.write(ctx, d, w, expect)
	if behind.seq != 0 || !isWrongLast(err) {
		return at, err
	}
	if _, err := l.sweep(ctx, d.Lane); err != nil {
		return last{}, err
	}
	return l.write(ctx, d, w, expect)
}

// write stores one copy, which is the last one then; a second one of this term's is the
// broker's duplicate, and stays where it was.
func (l *lot) write(ctx context.Context, d *Delivery, w wait, opts ...jetstream.PublishOpt) (last, error) {
	if l.over.Load() {
		return last{}, ErrPinLost
	}
	h := d.Update.EncodeHeader()
	set := func(name string, v int64) { h[name] = []string{strconv.FormatInt(v, 10)} }
	set(HeaderSequence, int64(d.Seq))
	set(HeaderStream, d.Stream)
	set(headerStored, d.Stored.UnixNano())
	set(headerFor, w.left.Milliseconds())
	set(headerWho, int64(w.who))
	for _, name := range []string{"traceparent", "tracestate"} {
		if v := d.Header(name); v != "" {
			h[name] = []string{v}
		}
	}
	id := PositionID(d.Lane, d.Stream, d.Seq) + ":" + l.pin + ":" + strconv.FormatUint(l.sweeps.Load(), 36)
	if w.who == d.Seq {
		id += ":w" // a flood's running update that is to wait, after all, is copied again to say so
	}
	h[jetstream.MsgIDHeader] = []string{id}
	msg := &nats.Msg{Subject: broker.LaneSubject(broker.ParkedPrefix, l.p, d.Lane), Header: h, Data: d.Body}
	ack, err := l.conn.JetStream().PublishMsg(ctx, msg, append(opts, jetstream.WithExpectStream(broker.StreamParked))...)
	if err != nil {
		return last{}, err
	}
	return last{known: !ack.Duplicate, seq: ack.Sequence}, nil
}

// isWrongLast tells that a message was refused because its subject is not as expected.
func isWrongLast(err error) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == errCodeWrongLastConstant)
}

// errCodeWrongLastConstant is the broker's other code for the same refusal.
const errCodeWrongLastConstant = 10164

// sweep removes the copies of a lane that is not parked here. Who entered the lane
// afresh may call it.
//
// A former owner wrote them, which was frozen in the middle of it and came back too
// late: whatever it had written before this term began is known here, and parked. It
// has let go of none of them, since it asks for its pin first. So their originals are
// in UPDATES, or done; and the copies would stand in the way of older updates.
//
// First it is seen what is there, then the broker is asked for the pin, then no more
// is removed than was seen: if this owner is a former one itself by then, what its
// successor parked stays.
func (l *lot) sweep(ctx context.Context, k lane.Key) (swept bool, err error) {
	subject := broker.LaneSubject(broker.ParkedPrefix, l.p, k)
	s, err := l.conn.Stream(ctx, broker.StreamParked)
	if err != nil {
		return false, err
	}
	last, err := s.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at what is left of lane %s: %w", k, err)
	}
	if err := l.confirm(ctx); err != nil {
		return false, err
	}
	l.sweeps.Add(1)
	if err := s.Purge(ctx, jetstream.WithPurgeSubject(subject), jetstream.WithPurgeSequence(last.Sequence+1)); err != nil {
		return false, fmt.Errorf("sweep lane %s: %w", k, err)
	}
	l.log.InfoContext(ctx, "copies that a former owner left are swept away", slog.String("lane", string(k)))
	return true, nil
}

// sweepEvery is how often an owner looks for copies of former owners. Until then they are
// shown as parked; whoever parks the lane sweeps them first.
const sweepEvery = time.Minute

// strays sweeps all lanes that are not parked here.
func (l *lot) strays(ctx context.Context) {
	var keys []lane.Key
	s, err := l.conn.Stream(ctx, broker.StreamParked)
	if err == nil {
		keys, err = l.list(ctx, s)
	}
	if err != nil {
		l.log.DebugContext(ctx, "copies of former owners not looked for, that is done again", slog.String("error", err.Error()))
	}
	for _, k := range keys {
		if l.space(k) == nil {
			l.tidy(ctx, k)
		}
	}
}

// tidy sweeps a lane at once, unless it is parked here.
func (l *lot) tidy(ctx context.Context, k lane.Key) (swept bool) {
	s, fresh := l.enter(k)
	defer s.filling.Unlock()
	if !fresh {
		return false
	}
	defer l.release(k)
	swept, err := l.sweep(ctx, k)
	if err != nil {
		l.log.DebugContext(ctx, "lane not swept, it is looked at again", slog.String("lane", string(k)), slog.String("error", err.Error()))
	}
	return swept
}

// list names the lanes that have copies in PARKED.
func (l *lot) list(ctx context.Context, s jetstream.Stream) ([]lane.Key, error) {
	info, err := s.Info(ctx, jetstream.WithSubjectFilter(broker.ParkedPrefix+strconv.Itoa(int(l.p))+".>"))
	if err != nil {
		return nil, fmt.Errorf("list parked lanes of partition %d: %w", l.p, err)
	}
	keys := make([]lane.Key, 0, len(info.State.Subjects))
	for subject := range info.State.Subjects {
		if _, k, err := broker.ParseSubject(subject); err == nil {
			keys = append(keys, k)
		}
	}
	return keys, nil
}

// head is the oldest parked update of a lane, nil for none. Its Ack removes the copy.
func (l *lot) head(ctx context.Context, k lane.Key) (*Delivery, error) {
	d, _, err := l.from(ctx, k, 1)
	return d, err
}

// said is how long a lane has to wait, as far as PARKED tells: by its newest copy, since each
// one says what was known when it was written, if the update that it names is the oldest.
func (l *lot) said(ctx context.Context, k lane.Key) (wait, error) {
	oldest, err := l.head(ctx, k)
	if errors.Is(err, errUnreadable) {
		return wait{}, nil // it says nothing, and others go behind it
	}
	if err != nil || oldest == nil {
		return wait{}, err
	}
	s, err := l.conn.Stream(ctx, broker.StreamParked)
	if err != nil {
		return wait{}, err
	}
	m, err := s.GetLastMsgForSubject(ctx, broker.LaneSubject(broker.ParkedPrefix, l.p, k))
	if err != nil {
		return wait{}, fmt.Errorf("read parked lane %s: %w", k, err)
	}
	w := wait{who: uint64(HeaderInt(m.Header, headerWho))}
	if w.who == oldest.Seq {
		w.left = max(0, time.Duration(HeaderInt(m.Header, headerFor))*time.Millisecond-time.Now().Add(l.ahead).Sub(m.Time))
	}
	return w, nil
}

// from is the oldest parked update of a lane at or behind a place in PARKED, with its place.
func (l *lot) from(ctx context.Context, k lane.Key, place uint64) (*Delivery, uint64, error) {
	s, err := l.conn.Stream(ctx, broker.StreamParked)
	if err != nil {
		return nil, 0, err
	}
	m, err := s.GetMsg(ctx, place, jetstream.WithGetMsgSubject(broker.LaneSubject(broker.ParkedPrefix, l.p, k)))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read parked lane %s: %w", k, err)
	}
	u, err := DecodeUpdate(m.Subject, m.Header, m.Data)
	if err != nil {
		return nil, 0, fmt.Errorf("read parked lane %s: %w: %w", k, errUnreadable, err)
	}
	d := &Delivery{
		Update: u, Seq: uint64(HeaderInt(m.Header, HeaderSequence)), Stream: HeaderInt(m.Header, HeaderStream),
		Stored: time.Unix(0, HeaderInt(m.Header, headerStored)), Inherited: true,
	}
	d.Arrive(Origin{
		Work: ctx, Header: m.Header, Age: time.Now().Add(l.ahead).Sub(d.Stored),
		Ack:    func() error { return s.DeleteMsg(context.WithoutCancel(ctx), m.Sequence) },
		Behind: func(ctx context.Context) ([]*Delivery, error) { return l.behind(ctx, d, m.Sequence+1) },
	})
	return d, m.Sequence, nil
}
