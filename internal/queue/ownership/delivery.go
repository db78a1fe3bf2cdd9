package ownership

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/queue/parking"
)

func (t *term) accept(ctx context.Context, m *nats.Msg) error {
	if err := t.confirmPin(ctx, m); err != nil {
		return err
	}
	meta, err := m.Metadata()
	if err != nil {
		return fmt.Errorf("read delivery: %w", err)
	}
	t.watchdog.progress(t.answered)
	if meta.Sequence.Consumer != t.next {
		return t.resync(ctx, resetGap)
	}
	if meta.NumDelivered != 1 {
		return t.resync(ctx, resetRedelivery)
	}
	t.next++
	t.resyncs = 0
	t.wanted--
	t.setPending(meta.NumPending)
	if m.Subject == parking.WakeSubject(t.o.conn.Names(), t.p) {
		return m.Ack()
	}
	d := t.delivery(ctx, m, meta)
	t.o.metrics.age.Observe(d.Age().Seconds())
	if err := t.parking.Deliver(t.work, d); err != nil { //nolint:contextcheck // a flood is moved for as long as the term lasts
		return err
	}
	if t.wanted <= t.o.cfg.Window/2 {
		return t.pull()
	}
	return nil
}

// confirmPin asks the broker about another pin than the term's: stored headers can hide the broker's own.
func (t *term) confirmPin(ctx context.Context, m *nats.Msg) error {
	if pinIn(m) == t.pin {
		return nil
	}
	return t.Confirm(ctx)
}

func (t *term) delivery(ctx context.Context, m *nats.Msg, meta *nats.MsgMetadata) *queue.Delivery {
	u, err := queue.DecodeUpdate(m.Subject, m.Header, m.Data)
	if err != nil {
		// Not from ingress. It becomes a dead letter in its turn: unfinished, it would hold the
		// acknowledgement floor.
		t.log.WarnContext(ctx, "foreign message in the stream", slog.String("subject", m.Subject), slog.String("error", err.Error()))
		if u.Type = ""; u.Lane == "" {
			u.Lane = lane.ByChat.Key(lane.Scope{Kind: lane.KindOther, ID: "foreign"})
		}
	}
	u.Partition = t.p
	d := &queue.Delivery{
		Update: u, Seq: meta.Sequence.Stream, Stream: t.stream.created, Stored: meta.Timestamp, Inherited: t.inherited(meta),
	}
	d.Arrive(queue.Origin{
		Work: t.work, Header: m.Header, Age: time.Now().Add(t.stream.ahead).Sub(meta.Timestamp),
		Ack: func() error {
			t.parking.Finish(d)
			return m.Ack()
		},
		Behind: func(ctx context.Context) ([]*queue.Delivery, error) { return t.parking.Behind(ctx, d) },
	})
	return d
}

// inherited reports what an earlier owner may have had. That is at most a window, since a consumer
// delivers in order and waits for that many acknowledgements.
func (t *term) inherited(meta *nats.MsgMetadata) bool {
	return meta.Sequence.Stream <= t.stream.last && meta.Sequence.Consumer <= uint64(t.o.cfg.Window)
}

// resync starts from the acknowledgement floor again. Buffered deliveries come again; running
// updates go on, and their lanes' cursors skip them later. The old inbox is closed first: a stale
// request that swallows messages then leaves a gap at consumer sequence 1.
func (t *term) resync(ctx context.Context, reason string) error {
	t.closeFeed()
	if t.resyncs++; t.resyncs == 1 {
		t.retry.Reset()
	} else { // the last one did not help
		pause(ctx, t.retry.NextBackOff())
	}
	dropped := t.lanes.Discard()
	if err := t.o.reset(t.work, t.p, reason); err != nil { //nolint:contextcheck // a stop must not interrupt it half way: the term's own context decides
		return err
	}
	if reason != resetTakeover {
		t.log.InfoContext(ctx, "partition resynchronised", slog.String("reason", reason), slog.Int("dropped", dropped))
	}
	f, err := openFeed(t.o.conn, t.consumer(), 4*t.o.cfg.Window+256)
	if err != nil {
		return err
	}
	t.parking.Resync()
	t.feed, t.next = f, 1
	t.answered = time.Now()
	t.watchdog.restart(t.answered)
	return t.pull()
}
