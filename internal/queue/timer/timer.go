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

// Timer is an update that comes into its lane at its time. Each arming has its own subject, conversation
// and token: a worker that has lost its lane displaces no timer that a committed state waits for.
type Timer struct {
	Conversation string // key of the state whose timer it is: "<bot>:..."
	Token        string // of this arming; the same again replaces it
	After        time.Duration
	Update       queue.Update // what arrives; its id is 0
}

// subject is "<prefix><bot>.<rest of the conversation>.<token>".
func (t *Timer) subject(n broker.Names) string {
	owner, rest, _ := strings.Cut(t.Conversation, ":")
	return n.TimersPrefix() + owner + "." + rest + "." + strings.ReplaceAll(t.Token, ".", "-")
}

// Config of a scheduler.
type Config struct {
	Partitions int // as in [broker.Topology]
	// MaxBytes bounds TIMERS: at that size Arm fails and the turn is tried again, where the broker would
	// drop the oldest. It is checked every few seconds, so TIMERS may grow a little beyond it. 0: no bound.
	MaxBytes int64
	Logger   *slog.Logger // nil: logs nothing
}

// Scheduler arms and cancels timers, and relays fired ones into the lanes. Safe for concurrent use.
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

const (
	headerSchedule = "Nats-Schedule"
	headerTarget   = "Nats-Schedule-Target"
)

// Arm returns nil once the timer is stored. It fires after its time, at least a second, and at
// most a second late, or as soon as the broker is back.
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

// ErrNotArmed means that a timer could not be stored: broken infrastructure.
var ErrNotArmed = errors.New("timer not stored")

// Cancel asks the broker to forget a timer, and does not wait: one that fires all the same is ignored by its token.
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

// wholeSecond rounds up: schedules have whole seconds, and a timer is never early.
func wholeSecond(t time.Time) time.Time {
	return t.Add(time.Second - time.Nanosecond).Truncate(time.Second)
}
