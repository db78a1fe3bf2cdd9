package bottest

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/mymmrac/telego"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/lane"
)

// T is the test that a world reports to: a *testing.T, a *testing.B, a *rapid.T.
type T interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
	Context() context.Context
}

// Config sets up a world. The zero value is usable.
type Config struct {
	Bot      bot.Info  // by default id 42, @test_bot
	Strategy Strategy  // which updates share a conversation; by default UserInChat
	Start    time.Time // what the clock shows at first; by default 2026-01-01
	Logger   *slog.Logger
}

// World is a bot with the people and chats around it. Safe for concurrent use.
type World struct {
	t        T
	cfg      Config
	router   *bot.Router
	api      *telego.Bot
	strategy fsm.Strategy

	compile sync.Once
	program *bot.Program
	call    bot.CallFunc // with the router's call middleware

	mu            sync.Mutex
	now           time.Time
	lastID        int64 // of people, groups, messages, updates
	chats         map[int64]*chat
	conversations map[string]*conversation
	lanes         map[lane.Key]*laneTurns
	locks         map[string]*sync.Mutex // of conversations, where lanes share them
	timers        map[string]armedTimer
	calls         []Call
	stubs         map[string]Stub
	unhandled     int
	dropped       int
	failures      []error
	inFails       int // how many Fails are under way
}

// New makes a world around a router. The first update compiles the router, so a test may first register what
// takes the ids of its people. A wiring mistake fails the test.
func New(t T, r *bot.Router) *World {
	t.Helper()
	return NewWith(t, r, Config{})
}

// NewWith is [New] with a configuration.
func NewWith(t T, r *bot.Router, cfg Config) *World {
	t.Helper()
	if cfg.Bot == (bot.Info{}) {
		cfg.Bot = bot.Info{ID: 42, Username: "test_bot"}
	}
	if cfg.Start.IsZero() {
		cfg.Start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	w := &World{
		t: t, cfg: cfg, strategy: cfg.Strategy.parse(t), router: r, now: cfg.Start, lastID: 1000,
		chats: map[int64]*chat{}, conversations: map[string]*conversation{}, lanes: map[lane.Key]*laneTurns{}, locks: map[string]*sync.Mutex{},
		timers: map[string]armedTimer{}, stubs: map[string]Stub{},
	}
	w.api = newAPI(t, w)
	return w
}

func (w *World) compiled() *bot.Program {
	w.t.Helper()
	w.compile.Do(func() {
		program, err := w.router.Compile()
		if err != nil {
			w.t.Fatalf("compile the bot: %v", err)
		}
		w.program, w.call = program, program.WrapCalls(w.perform)
	})
	return w.program
}

// API is the bot's Bot API, for code under test that runs outside of a turn.
func (w *World) API() *telego.Bot { return w.api }

// Now is the time of the world's clock, which only [World.Advance] moves.
func (w *World) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// Unhandled counts the updates that no handler took.
func (w *World) Unhandled() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.unhandled
}

// Dropped counts the updates that a gate refused.
func (w *World) Dropped() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dropped
}

// Fails runs do, in which at least one turn must fail, and returns the errors joined.
func (w *World) Fails(do func()) error {
	w.t.Helper()
	w.mu.Lock()
	before := len(w.failures)
	w.inFails++
	w.mu.Unlock()
	do()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.inFails--
	if len(w.failures) == before {
		w.t.Errorf("no turn failed")
	}
	return errors.Join(w.failures[before:]...)
}

// Update delivers any update, as Telegram would: it passes gates and urgent handlers, and then has its turn.
// An id of 0 is filled in.
func (w *World) Update(u telego.Update) {
	w.t.Helper()
	w.mustSucceed(w.deliver(u, nil))
}

// RawUpdate is [World.Update] for the JSON of an update, whole with its id: for types that telego has no type for, such
// as widget_query.
func (w *World) RawUpdate(raw json.RawMessage) {
	w.t.Helper()
	w.mustSucceed(w.deliverRaw(raw, nil))
}

func (w *World) mustSucceed(err error) {
	w.t.Helper()
	if err == nil {
		return
	}
	w.mu.Lock()
	inFails := w.inFails > 0
	w.failures = append(w.failures, err)
	w.mu.Unlock()
	if !inFails {
		w.t.Errorf("turn failed: %v", err)
		if p, ok := errors.AsType[*bot.PanicError](err); ok {
			w.t.Logf("%s", p.Stack)
		}
	}
}

func (w *World) next() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lastID++
	return w.lastID
}
