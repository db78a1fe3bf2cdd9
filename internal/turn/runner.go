package turn

import (
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/telegram/api"
	"github.com/chatlane/chatlane/internal/telemetry"
)

// Identity is one bot that updates may be for.
type Identity struct {
	Token    api.Token
	Username string // empty while unknown, see Runner.Named
}

// Deps is what a runner works with.
type Deps struct {
	Program *bot.Program
	Store   fsm.Store
	Client  *api.Client
	Dead    DeadLetters
	Timers  Timers
	Bots    map[int64]Identity
	// Fleet knows the bots of the other workers. Nil: there are none.
	Fleet Fleet
}

// Runner runs turns. Safe for concurrent use: the executor and the lock keep a lane to one turn at a time.
type Runner struct {
	cfg      Config
	deps     Deps
	log      *slog.Logger // throttled
	authors  *slog.Logger // of handlers
	tracer   trace.Tracer
	carrier  propagation.TextMapPropagator
	metrics  metrics
	breaker  *breaker
	suspects chan struct{} // holds the one suspect that runs; see crash.go
	urgent   *urgentRuns
	running  runningTurns
	results  resultCache
	held     heldLanes
	skipped  skippedLog
	names    sync.Map      // usernames learned later, by bot
	albums   time.Duration // how long a lane waits for an album; 0: albums are not gathered
}

// New makes a runner; cfg must be valid.
func New(cfg Config, deps Deps, log *slog.Logger, reg prometheus.Registerer) *Runner {
	cfg = cfg.withDefaults()
	return &Runner{
		cfg: cfg, deps: deps, log: telemetry.Throttled(log), authors: log,
		tracer:   otel.Tracer("github.com/chatlane/chatlane/internal/turn"),
		carrier:  otel.GetTextMapPropagator(),
		metrics:  newMetrics(reg),
		breaker:  newBreaker(log, reg),
		suspects: make(chan struct{}, 1),
		results:  newResultCache(),
		urgent:   newUrgentRuns(deps.Program, cfg.MaxUrgent),
		albums:   albumWait(deps.Program),
	}
}

// Start makes the turn of one delivery, and starts its urgent run.
func (r *Runner) Start(d *queue.Delivery) queue.Attempt {
	t := &task{r: r, d: d, keys: r.keys(d)}
	if r.deps.Fleet != nil {
		r.deps.Fleet.Met(d.Partition, d.Scope.Bot)
	}
	t.startUrgent()
	return t.run
}

// Named sets a bot's username that was not known at New.
func (r *Runner) Named(bot int64, username string) { r.names.Store(bot, username) }

func (r *Runner) username(bot int64, id Identity) string {
	if id.Username != "" {
		return id.Username
	}
	name, _ := r.names.Load(bot)
	text, _ := name.(string)
	return text
}
