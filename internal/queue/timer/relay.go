package timer

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

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/partition"
	"github.com/chatlane/chatlane/internal/queue"
)

const relayName = "relay"

// What bounds the relay. A fired timer that a worker took and did not relay, because
// it died or stopped, comes to another after relayWait.
const (
	relayAtOnce = 64
	relayWait   = 5 * time.Second
	relayRetry  = time.Second
	relayPull   = 10 * time.Second
)

// Run relays fired timers into their lanes until ctx ends, and lets those under way
// finish. All workers share the work; any one of them is enough.
func (t *Scheduler) Run(ctx context.Context) {
	for broken := false; ctx.Err() == nil; {
		c, err := t.conn.JetStream().CreateOrUpdateConsumer(ctx, broker.StreamTimers, jetstream.ConsumerConfig{
			Durable: relayName, FilterSubject: broker.FiredPrefix + ">", AckPolicy: jetstream.AckExplicitPolicy,
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

// relay works for the life of one pull request.
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

// fire puts a fired timer into its lane, and then forgets it.
func (t *Scheduler) fire(ctx context.Context, m jetstream.Msg) {
	ctx, cancel := context.WithTimeout(ctx, relayWait/2)
	defer cancel()
	result, err := t.store(ctx, m)
	t.metrics.fired.WithLabelValues(result).Inc()
	switch {
	case errors.Is(err, queue.ErrEnvelope):
		t.log.WarnContext(ctx, "foreign message among the timers, dropped", slog.String("subject", m.Subject()))
		_ = m.Term()
	case err != nil:
		_ = m.NakWithDelay(relayRetry) // full, or away; order among timers is of no matter
	default:
		_ = m.Ack() // lost, it comes again and is known as a repetition
	}
}

// store publishes the update of a fired timer. The message id is the firing's own
// place in TIMERS: a relay that dies before its acknowledgement fires nothing
// twice, and a timer that is armed again is no repetition.
func (t *Scheduler) store(ctx context.Context, m jetstream.Msg) (result string, err error) {
	u, err := queue.DecodeUpdate(m.Subject(), m.Headers(), m.Data())
	if err != nil {
		return firedFailed, fmt.Errorf("%w: %w", queue.ErrEnvelope, err)
	}
	meta, err := m.Metadata()
	if err != nil {
		return firedFailed, fmt.Errorf("%w: %w", queue.ErrEnvelope, err)
	}
	u.Partition = partition.Of(string(u.Lane), t.partitions)
	u.Received = meta.Timestamp
	msg := &nats.Msg{Subject: broker.LaneSubject(broker.UpdatesPrefix, u.Partition, u.Lane), Header: u.EncodeHeader(), Data: u.Body}
	for _, name := range t.carrier.Fields() {
		if v := queue.HeaderValue(m.Headers(), name); v != "" {
			msg.Header[name] = []string{v}
		}
	}
	msg.Header[jetstream.MsgIDHeader] = []string{
		"timer:" + strconv.FormatUint(meta.Sequence.Stream, 10) + ":" + strconv.FormatInt(meta.Timestamp.UnixNano(), 36),
	}
	ack, err := t.conn.JetStream().PublishMsg(ctx, msg, jetstream.WithExpectStream(broker.StreamUpdates))
	switch {
	case err != nil:
		return firedFailed, fmt.Errorf("relay timer into lane %s: %w", u.Lane, err)
	case ack.Duplicate:
		return firedDuplicate, nil
	}
	return firedStored, nil
}
