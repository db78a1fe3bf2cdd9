package turn

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/telegram"
)

// Identity is one bot that updates may be for.
type Identity struct {
	Token    telegram.Token
	Username string
}

// DeadLetters takes updates that used up their attempts.
type DeadLetters interface {
	Put(ctx context.Context, l queue.DeadLetter) error
}

// Deps is what a runner works with.
type Deps struct {
	Router *bot.Router
	Store  fsm.Store
	Client *telegram.Client
	Dead   DeadLetters
	Bots   map[int64]Identity
}

// Runner runs turns. Safe for concurrent use: one turn per lane at a time is the
// executor's business, and the lock's.
type Runner struct {
	cfg     Config
	deps    Deps
	log     *slog.Logger
	tracer  trace.Tracer
	carrier propagation.TextMapPropagator
	metrics metrics
	shared  bool // see fsm.Keys.Shared
}

// New makes a runner; cfg must be valid.
func New(cfg Config, deps Deps, log *slog.Logger, reg prometheus.Registerer) *Runner {
	cfg = cfg.withDefaults()
	return &Runner{
		cfg: cfg, deps: deps, log: log,
		tracer:  otel.Tracer("github.com/chatlane/chatlane/internal/turn"),
		carrier: otel.GetTextMapPropagator(),
		metrics: newMetrics(reg),
		shared:  !fsm.Contained(cfg.LaneKey.String(), cfg.Strategy),
	}
}

// Turn makes the turn of one delivery.
func (r *Runner) Turn(d *queue.Delivery) queue.Turn {
	t := &task{r: r, d: d, keys: r.keys(d)}
	return t.run
}

// keys names what the turn of a delivery locks and loads.
func (r *Runner) keys(d *queue.Delivery) fsm.Keys {
	s := d.Scope
	state, home := r.cfg.Strategy.Key(fsm.Place{
		Bot: s.Bot, Kind: byte(s.Kind), Chat: s.Chat, User: s.User, Thread: s.Thread, ID: s.ID,
	})
	k := fsm.Keys{Lane: string(d.Lane), Home: s.Home(), State: state, StateHome: home, Shared: r.shared}
	if r.cfg.LaneKey == lane.ByUser {
		k.Home = string(d.Lane) // such a lane crosses chats
	}
	return k
}

func position(d *queue.Delivery) fsm.Position {
	p := fsm.Position{Stream: d.Stream, Seq: d.Seq, Update: d.ID, Stored: d.Stored}
	if d.Replay != 0 {
		p.Update = 0 // a person asked for it again
	}
	return p
}
