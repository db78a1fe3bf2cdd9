package queue

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
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/partition"
)

// Timer is an update that comes into its lane when its time has come.
//
// Each arming has a subject of its own, conversation and token. So what a worker
// that has lost its lane arms or cancels late touches no timer but its own: a
// timer that a committed state waits for is never displaced.
type Timer struct {
	Conversation string // key of the state whose timer it is: "<bot>:..."
	Token        string // of this arming; arming the same again replaces it
	After        time.Duration
	Update       Update // what arrives; its id is 0
}

// subject is where the timer waits: "timers.<bot>.<rest of the conversation>.<token>".
func (t *Timer) subject() string {
	owner, rest, _ := strings.Cut(t.Conversation, ":")
	return broker.TimersPrefix + owner + "." + rest + "." + strings.ReplaceAll(t.Token, ".", "-")
}

// Timers arms and cancels timers, and relays what has fired into the lanes. They
// are message schedules of the broker: no process holds them. Safe for concurrent use.
type Timers struct {
	conn       *broker.Conn
	partitions int
	log        *slog.Logger
	carrier    propagation.TextMapPropagator
	metrics    timerMetrics

	mu    sync.Mutex
	clock brokerClock
}

// NewTimers makes timers for a stream of n partitions.
func NewTimers(conn *broker.Conn, n int, log *slog.Logger, reg prometheus.Registerer) *Timers {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Timers{conn: conn, partitions: n, log: log, carrier: otel.GetTextMapPropagator(), metrics: newTimerMetrics(reg)}
}

// The broker's headers of a message schedule.
const (
	headerSchedule = "Nats-Schedule"
	headerTarget   = "Nats-Schedule-Target"
)

// Arm stores the timer; nil means that it will fire, after at least its time (a
// second or more) and a second later at most, or as soon as the broker is back.
func (t *Timers) Arm(ctx context.Context, timer Timer) error {
	now, err := t.now(ctx)
	if err != nil {
		return fmt.Errorf("arm timer: %w: %w", ErrNotArmed, err)
	}
	u := timer.Update
	u.Partition = partition.Of(string(u.Lane), t.partitions)
	u.Received = now
	msg := &nats.Msg{Subject: timer.subject(), Header: u.EncodeHeader(), Data: u.Body}
	msg.Header[headerSchedule] = []string{"@at " + wholeSecond(now.Add(max(timer.After, time.Second))).UTC().Format(time.RFC3339)}
	msg.Header[headerTarget] = []string{broker.LaneSubject(broker.FiredPrefix, u.Partition, u.Lane)}
	t.carrier.Inject(ctx, carrier(msg.Header))
	// No message id: a turn that is tried again arms the same timer anew.
	if _, err := t.conn.JetStream().PublishMsg(ctx, msg, jetstream.WithExpectStream(broker.StreamTimers)); err != nil {
		return fmt.Errorf("arm timer in lane %s: %w: %w", u.Lane, ErrNotArmed, err)
	}
	t.metrics.armed.Inc()
	return nil
}

// ErrNotArmed says that a timer could not be stored: broken infrastructure.
var ErrNotArmed = errors.New("timer not stored")

// Cancel asks the broker to forget an armed timer, and does not wait: one that
// fires all the same finds another token in its conversation, and is ignored.
func (t *Timers) Cancel(timer Timer) error {
	body := `{"filter":` + strconv.Quote(timer.subject()) + `}`
	if err := t.conn.NATS().PublishRequest(purgeTimers, unheard, []byte(body)); err != nil {
		return fmt.Errorf("cancel timer in lane %s: %w", timer.Update.Lane, err)
	}
	t.metrics.cancelled.Inc()
	return nil
}

const (
	purgeTimers = "$JS.API.STREAM.PURGE." + broker.StreamTimers
	unheard     = "_INBOX.chatlane.unheard" // nobody listens: the broker drops the answer
)

// wholeSecond rounds up: the broker's schedules have seconds, and a timer is never early.
func wholeSecond(t time.Time) time.Time {
	return t.Add(time.Second - time.Nanosecond).Truncate(time.Second)
}

// brokerClock is the broker's time, carried on by our monotonic clock: no worker's
// wall clock decides when a timer fires.
type brokerClock struct {
	broker time.Time // as it was
	here   time.Time // when we were told
}

// clockAge is when the broker is asked again: monotonic clocks drift a little.
const clockAge = 10 * time.Minute

func (t *Timers) now(ctx context.Context) (time.Time, error) {
	t.mu.Lock()
	c := t.clock
	t.mu.Unlock()
	if c.here.IsZero() || time.Since(c.here) > clockAge {
		asked := time.Now()
		s, err := t.conn.JetStream().Stream(ctx, broker.StreamTimers)
		if err != nil {
			return time.Time{}, fmt.Errorf("look at stream %s: %w", broker.StreamTimers, err)
		}
		c = brokerClock{broker: s.CachedInfo().TimeStamp, here: asked.Add(time.Since(asked) / 2)}
		if c.broker.IsZero() {
			c.broker = c.here
		}
		t.mu.Lock()
		t.clock = c
		t.mu.Unlock()
	}
	return c.broker.Add(time.Since(c.here)), nil
}

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
func (t *Timers) Run(ctx context.Context) {
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
		pause(ctx, relayRetry)
	}
}

// relay works for the life of one pull request.
func (t *Timers) relay(ctx context.Context, c jetstream.Consumer) error {
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
func (t *Timers) fire(ctx context.Context, m jetstream.Msg) {
	ctx, cancel := context.WithTimeout(ctx, relayWait/2)
	defer cancel()
	result, err := t.store(ctx, m)
	t.metrics.fired.WithLabelValues(result).Inc()
	switch {
	case errors.Is(err, errEnvelope):
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
func (t *Timers) store(ctx context.Context, m jetstream.Msg) (result string, err error) {
	u, err := DecodeUpdate(m.Subject(), m.Headers(), m.Data())
	if err != nil {
		return firedFailed, fmt.Errorf("%w: %w", errEnvelope, err)
	}
	meta, err := m.Metadata()
	if err != nil {
		return firedFailed, fmt.Errorf("%w: %w", errEnvelope, err)
	}
	u.Partition = partition.Of(string(u.Lane), t.partitions)
	u.Received = meta.Timestamp
	msg := &nats.Msg{Subject: broker.LaneSubject(broker.UpdatesPrefix, u.Partition, u.Lane), Header: u.EncodeHeader(), Data: u.Body}
	for _, name := range t.carrier.Fields() {
		if v := HeaderValue(m.Headers(), name); v != "" {
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

// Results of a firing: the label of chatlane_timers_fired_total.
const (
	firedStored    = "stored"
	firedDuplicate = "duplicate"
	firedFailed    = "failed" // it is tried again
)

type timerMetrics struct {
	armed, cancelled prometheus.Counter
	fired            *prometheus.CounterVec
}

func newTimerMetrics(reg prometheus.Registerer) timerMetrics {
	m := timerMetrics{
		armed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "chatlane_timers_armed_total", Help: "State timeouts stored in the broker.",
		}),
		cancelled: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "chatlane_timers_cancelled_total", Help: "State timeouts that the broker was asked to forget.",
		}),
		fired: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "chatlane_timers_fired_total", Help: "State timeouts relayed into their lanes, by result.",
		}, []string{"result"}),
	}
	for _, r := range []string{firedStored, firedDuplicate, firedFailed} {
		m.fired.WithLabelValues(r)
	}
	register(reg, m.armed, m.cancelled, m.fired)
	return m
}
