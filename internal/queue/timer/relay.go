package timer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/partition"
	"github.com/chatlane/chatlane/internal/queue"
)

const relayName = "relay"

// A fired timer that a dead or stopped worker took and did not relay comes to another after relayWait.
const (
	relayAtOnce = 64
	relayWait   = 5 * time.Second
	relayRetry  = time.Second
	relayPull   = 10 * time.Second
)

// Run relays fired timers into their lanes until ctx ends, and finishes those under way. Workers share the work.
func (t *Scheduler) Run(ctx context.Context) {
	for broken := false; ctx.Err() == nil; {
		c, err := t.conn.JetStream().CreateOrUpdateConsumer(ctx, t.conn.Names().Timers(), jetstream.ConsumerConfig{
			Durable: relayName, FilterSubject: t.conn.Names().FiredPrefix() + ">", AckPolicy: jetstream.AckExplicitPolicy,
			AckWait: relayWait, MaxDeliver: -1,
		})
		for err == nil && ctx.Err() == nil {
			if err = t.relay(ctx, c); err == nil {
				broken = false
			}
		}
		if ctx.Err() != nil {
			break
		}
		if !broken {
			t.log.WarnContext(ctx, "timers are not relayed, trying again", slog.String("error", err.Error()))
		}
		broken = true
		select {
		case <-time.After(relayRetry):
		case <-ctx.Done():
		}
	}
}

func (t *Scheduler) relay(ctx context.Context, c jetstream.Consumer) error {
	pulling, cancel := context.WithTimeout(ctx, relayPull)
	defer cancel()
	fired, err := c.Fetch(relayAtOnce, jetstream.FetchContext(pulling), jetstream.FetchHeartbeat(relayRetry))
	if err != nil {
		return fmt.Errorf("relay timers: %w", err)
	}
	var underway sync.WaitGroup
	for m := range fired.Messages() {
		underway.Go(func() { t.fire(context.WithoutCancel(ctx), m) })
	}
	underway.Wait()
	if err := fired.Error(); err != nil && pulling.Err() == nil {
		return fmt.Errorf("relay timers: %w", err)
	}
	return nil
}

func (t *Scheduler) fire(ctx context.Context, m jetstream.Msg) {
	ctx, cancel := context.WithTimeout(ctx, relayWait/2)
	defer cancel()
	result, err := t.store(ctx, m)
	t.metrics.fired.WithLabelValues(result).Inc()
	switch {
	case errors.Is(err, errForeign):
		t.log.WarnContext(ctx, "foreign message among the timers, dropped", slog.String("subject", m.Subject()))
		_ = m.Term()
	case err != nil:
		_ = m.NakWithDelay(relayRetry) // UPDATES is full, or the broker away; timers need no order
	default:
		_ = m.Ack() // if it is lost, the timer comes again as a duplicate
	}
}

var errForeign = errors.New("message is no timer")

// store uses the firing's position as message id: a relay that dies unacknowledged fires nothing
// twice, and a timer that is armed again is no duplicate.
func (t *Scheduler) store(ctx context.Context, m jetstream.Msg) (result string, err error) {
	meta, err := m.Metadata()
	if err != nil {
		return firedFailed, fmt.Errorf("%w: %w", errForeign, err)
	}
	msg, err := t.fired(m, meta)
	if err != nil {
		return firedFailed, err
	}
	msg.Header[jetstream.MsgIDHeader] = []string{
		"timer:" + strconv.FormatUint(meta.Sequence.Stream, 10) + ":" + strconv.FormatInt(meta.Timestamp.UnixNano(), 36),
	}
	ack, err := t.conn.JetStream().PublishMsg(ctx, msg, jetstream.WithExpectStream(t.conn.Names().Updates()))
	switch {
	case err != nil:
		return firedFailed, fmt.Errorf("relay timer to %s: %w", msg.Subject, err)
	case ack.Duplicate:
		return firedDuplicate, nil
	}
	return firedStored, nil
}

// fired keeps an envelope of another version: the lane's owner may be able to read it.
func (t *Scheduler) fired(m jetstream.Msg, meta *jetstream.MsgMetadata) (*nats.Msg, error) {
	u, err := queue.DecodeUpdate(m.Subject(), m.Headers(), m.Data())
	msg := &nats.Msg{Data: u.Body}
	switch {
	case u.Lane == "", !queue.HasEnvelope(m.Headers()):
		return nil, fmt.Errorf("%w: %w", errForeign, err)
	case err != nil:
		msg.Header = make(nats.Header)
		for name, values := range m.Headers() {
			if !strings.HasPrefix(name, "Nats-") {
				msg.Header[name] = values
			}
		}
	default:
		u.Received = meta.Timestamp
		msg.Header = u.EncodeHeader()
		for _, name := range t.carrier.Fields() {
			if v := queue.HeaderValue(m.Headers(), name); v != "" {
				msg.Header[name] = []string{v}
			}
		}
	}
	msg.Subject = broker.LaneSubject(t.conn.Names().UpdatesPrefix(), partition.Of(string(u.Lane), t.cfg.Partitions), u.Lane)
	return msg, nil
}
