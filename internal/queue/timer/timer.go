package timer

import (
	"cmp"
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
	"github.com/chatlane/chatlane/internal/queue"
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
	Update       queue.Update // what arrives; its id is 0
}

// subject is where the timer waits: "<prefix><bot>.<rest of the conversation>.<token>".
func (t *Timer) subject(n broker.Names) string {
	owner, rest, _ := strings.Cut(t.Conversation, ":")
	return n.TimersPrefix() + owner + "." + rest + "." + strings.ReplaceAll(t.Token, ".", "-")
}

// Config of a scheduler.
type Config struct {
	Partitions int // as in [broker.Topology]
	// MaxBytes bounds TIMERS: at that size timers are not armed any more, and their turns are
	// tried again. The broker itself could only drop the oldest timers. It is checked every
	// few seconds, so TIMERS may grow a little beyond it. 0: no bound.
	MaxBytes int64
	Logger   *slog.Logger // nil: logs nothing
}

// Scheduler arms and cancels timers, and relays what has fired into the lanes. Safe for
// concurrent use.
type Scheduler struct {
	cfg     Config
	conn    *broker.Conn
	log     *slog.Logger
	carrier propagation.TextMapPropagator
	metrics metrics

	mu   sync.Mutex
	seen view
}

// New makes a scheduler; Run relays what has fired.
func New(cfg Config, conn *broker.Conn, reg prometheus.Registerer) *Scheduler {
	log := cmp.Or(cfg.Logger, slog.New(slog.DiscardHandler))
	return &Scheduler{cfg: cfg, conn: conn, log: log, carrier: otel.GetTextMapPropagator(), metrics: newMetrics(reg)}
}

// The broker's headers of a message schedule.
const (
	headerSchedule = "Nats-Schedule"
	headerTarget   = "Nats-Schedule-Target"
)

// Arm stores the timer; nil means that it will fire, after at least its time (a
// second or more) and a second later at most, or as soon as the broker is back.
func (t *Scheduler) Arm(ctx context.Context, timer Timer) error {
	now, err := t.now(ctx)
	if err != nil {
		return fmt.Errorf("arm timer: %w: %w", ErrNotArmed, err)
	}
	u := timer.Update
	u.Partition = partition.Of(string(u.Lane), t.cfg.Partitions)
	u.Received = now
	msg := &nats.Msg{Subject: timer.subject(t.conn.Names()), Header: u.EncodeHeader(), Data: u.Body}
	msg.Header[headerSchedule] = []string{"@at " + wholeSecond(now.Add(max(timer.After, time.Second))).UTC().Format(time.RFC3339)}
	msg.Header[headerTarget] = []string{broker.LaneSubject(t.conn.Names().FiredPrefix(), u.Partition, u.Lane)}
	t.carrier.Inject(ctx, queue.Carrier(msg.Header))
	// No message id: a turn that is tried again arms the same timer anew.
	if _, err := t.conn.JetStream().PublishMsg(ctx, msg, jetstream.WithExpectStream(t.conn.Names().Timers())); err != nil {
		return fmt.Errorf("arm timer in lane %s: %w: %w", u.Lane, ErrNotArmed, err)
	}
	t.grow(len(msg.Data))
	t.metrics.armed.Inc()
	return nil
}

// ErrNotArmed says that a timer could not be stored: broken infrastructure.
var ErrNotArmed = errors.New("timer not stored")

// Cancel asks the broker to forget an armed timer, and does not wait: one that
// fires all the same finds another token in its conversation, and is ignored.
func (t *Scheduler) Cancel(timer Timer) error {
	body := `{"filter":` + strconv.Quote(timer.subject(t.conn.Names())) + `}`
	if err := t.conn.NATS().PublishRequest(purgeTimers+t.conn.Names().Timers(), unheard, []byte(body)); err != nil {
		return fmt.Errorf("cancel timer in lane %s: %w", timer.Update.Lane, err)
	}
	t.metrics.cancelled.Inc()
	return nil
}

const (
	purgeTimers = "$JS.API.STREAM.PURGE."
	unheard     = "_INBOX.chatlane.unheard" // nobody listens: the broker drops the answer
)

// wholeSecond rounds up: the broker's schedules have seconds, and a timer is never early.
func wholeSecond(t time.Time) time.Time {
	return t.Add(time.Second - time.Nanosecond).Truncate(time.Second)
}
