package parking

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/queue"
)

const (
	headerStored  = "Chatlane-Stored"
	headerWait    = "Chatlane-Park-Ms"  // how long the lane is to wait
	headerWaiting = "Chatlane-Park-Seq" // and for which update
)

// put stores a copy behind the others of its lane, confirms the pin, and then acknowledges the original: only
// with the pin does the next owner find the copy. A lane's first copy is fresh. The caller holds filling.
func (l *Lanes) put(ctx context.Context, d *queue.Delivery, w wait, fresh bool) (again time.Duration) {
	if _, err := l.copy(ctx, d, w, after(fresh)); err != nil {
		l.log.WarnContext(ctx, "parked copy not written, its update is held in the window", slog.String("lane", string(d.Lane)), slog.String("error", err.Error()))
		return retryStore
	}
	if err := l.confirm(ctx); err != nil {
		l.log.WarnContext(ctx, "partition not confirmed after a parked copy, its update is held in the window", slog.String("lane", string(d.Lane)), slog.String("error", err.Error()))
		return retryStore
	}
	l.acknowledge(ctx, d)
	return 0
}

// confirm remembers a lost pin: it is never this term's again.
func (l *Lanes) confirm(ctx context.Context) error {
	err := l.term.Confirm(ctx)
	if errors.Is(err, queue.ErrPinLost) {
		l.over.Store(true)
	}
	return err
}

func (l *Lanes) acknowledge(ctx context.Context, d *queue.Delivery) {
	if err := d.Ack(ctx); err != nil {
		l.log.DebugContext(ctx, "parked update not acknowledged, it comes again", slog.String("error", err.Error()))
	}
}

// last is the copy that the next one must find last; zero for any.
type last struct {
	known bool
	seq   uint64 // in PARKED; 0: there is none
}

func after(fresh bool) last { return last{known: fresh} }

// copy returns the lane's new last copy. A first copy that finds others prunes the lane. A later
// one fails if it misses the one before it: another owner has pruned the lane.
func (l *Lanes) copy(ctx context.Context, d *queue.Delivery, w wait, behind last) (last, error) {
	if !behind.known {
		return l.write(ctx, d, w)
	}
	expect := jetstream.WithExpectLastSequencePerSubject(behind.seq)
	at, err := l.write(ctx, d, w, expect)
	if behind.seq != 0 || !isWrongLast(err) {
		return at, err
	}
	if _, err := l.prune(ctx, d.Lane); err != nil {
		return last{}, err
	}
	return l.write(ctx, d, w, expect)
}

// write stores a copy once per term: a second one is a duplicate, keeps its place, and leaves the last unknown.
func (l *Lanes) write(ctx context.Context, d *queue.Delivery, w wait, opts ...jetstream.PublishOpt) (last, error) {
	if l.over.Load() {
		return last{}, queue.ErrPinLost
	}
	msg := &nats.Msg{
		Subject: broker.LaneSubject(l.conn.Names().ParkedPrefix(), l.cfg.Partition, d.Lane),
		Header:  l.copyHeader(d, w), Data: d.Data(),
	}
	ack, err := l.conn.JetStream().PublishMsg(ctx, msg, append(opts, jetstream.WithExpectStream(l.conn.Names().Parked()))...)
	if err != nil {
		return last{}, err
	}
	return last{known: !ack.Duplicate, seq: ack.Sequence}, nil
}

func (l *Lanes) copyHeader(d *queue.Delivery, w wait) nats.Header {
	h := d.EncodeHeader()
	set := func(name string, v int64) { h[name] = []string{strconv.FormatInt(v, 10)} }
	set(queue.HeaderSequence, int64(d.Seq))
	set(queue.HeaderStream, d.Stream)
	set(headerStored, d.Stored.UnixNano())
	set(headerWait, w.left.Milliseconds())
	set(headerWaiting, int64(w.waiting))
	for _, name := range []string{"traceparent", "tracestate"} {
		if v := d.Header(name); v != "" {
			h[name] = []string{v}
		}
	}
	id := queue.PositionID(d.Lane, d.Stream, d.Seq) + ":" + l.cfg.Pin + ":" + strconv.FormatUint(l.prunes.Load(), 36)
	if w.waiting == d.Seq {
		id += ":w" // a flood's running update that has to wait is copied again to note that
	}
	h[jetstream.MsgIDHeader] = []string{id}
	return h
}

// errCodeWrongLastConstant is the broker's other code for isWrongLast.
const errCodeWrongLastConstant = 10164

func isWrongLast(err error) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == errCodeWrongLastConstant)
}
