package bottest

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/mymmrac/telego"

	"github.com/chatlane/chatlane/bot"
)

// T is what a world reports to: a *testing.T, a *testing.B, a *rapid.T.
type T interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
	Context() context.Context
}

// Config says how a world is. The zero value is usable.
type Config struct {
	Bot      bot.Info  // by default id 42, @test_bot
	Strategy Strategy  // which updates share a conversation; by default UserInChat
	Start    time.Time // what the clock shows at first; by default 2026-01-01
	Logger   *slog.Logger
}

// World is a bot, and the people and chats around it.
type World struct {
	t      T
	cfg    Config
	router *bot.Router
	api    *telego.Bot
	call   bot.CallFunc

	mu        sync.Mutex
	now       time.Time
	lastID    int64 // of people, groups, messages, updates
	chats     map[int64]*chat
	memories  map[string]*memory
	lanes     map[int64]*lane
	locks     map[string]*sync.Mutex // of conversations, where lanes share them
	timers    map[string]alarm
	calls     []Call
	stubs     map[string]Stub
	unhandled int
	dropped   int
	failures  []error
	lenient   int // how many Fails are under way
}

// lane is what turns of one chat have in common.
type lane struct {
	turn   sync.Mutex
	mu     sync.Mutex
	cancel context.CancelCauseFunc // of the running turn
}

// New makes a world around a router.
func New(t T, r *bot.Router) *World {
	t.Helper()
	return NewWith(t, r, Config{})
}

// NewWith is New with choices.
func NewWith(t T, r *bot.Router, cfg Config) *World {
	t.Helper()
	if cfg.Bot == (bot.Info{}) {
		cfg.Bot = bot.Info{ID: 42, Username: "test_bot"}
	}
	if cfg.Start.IsZero() {
		cfg.Start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	w := &World{
		t: t, cfg: cfg, router: r, now: cfg.Start, lastID: 1000,
		chats: map[int64]*chat{}, memories: map[string]*memory{}, lanes: map[int64]*lane{}, locks: map[string]*sync.Mutex{},
		timers: map[string]alarm{}, stubs: map[string]Stub{},
	}
	w.call = w.perform
	mws := r.CallMiddleware()
	for _, mw := range slices.Backward(mws) {
		w.call = mw(w.call)
	}
	w.api = newAPI(t, w)
	return w
}

// API is the bot's own API, for code under test that runs outside of a turn.
func (w *World) API() *telego.Bot { return w.api }

// Now is what the world's clock shows.
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

// Fails runs do, in which at least one turn has to fail, and returns the errors joined.
func (w *World) Fails(do func()) error {
	w.t.Helper()
	w.mu.Lock()
	before := len(w.failures)
	w.lenient++
	w.mu.Unlock()
	do()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lenient--
	if len(w.failures) == before {
		w.t.Errorf("no turn failed")
	}
	return errors.Join(w.failures[before:]...)
}

// Update brings any update, as Telegram would: it passes gates and urgent handlers,
// and then has its turn. Its id is filled in if it has none.
func (w *World) Update(u telego.Update) {
	w.t.Helper()
	w.mustSucceed(w.deliver(u, nil))
}

func (w *World) mustSucceed(err error) {
	w.t.Helper()
	if err == nil {
		return
	}
	w.mu.Lock()
	lenient := w.lenient > 0
	w.failures = append(w.failures, err)
	w.mu.Unlock()
	if !lenient {
		w.t.Errorf("turn failed: %v", err)
		if p, ok := errors.AsType[*bot.PanicError](err); ok {
			w.t.Logf("%s", p.Stack)
		}
	}
}

// deliver takes an update through all that a worker would.
func (w *World) deliver(u telego.Update, album []telego.Message) error {
	if u.UpdateID == 0 {
		u.UpdateID = int(w.next())
	}
	raw, err := json.Marshal(u)
	if err != nil {
		return err
	}
	var decoded telego.Update // as the worker has it: from the bytes
	if err := json.Unmarshal(raw, &decoded); err != nil {
		return err
	}
	p := w.parts(scopeOf(&decoded), raw)
	p.Update = &decoded
	for i := range album {
		p.Album = append(p.Album, &album[i])
	}
	if m := decoded.Message; p.Album == nil && m != nil && m.MediaGroupID != "" && w.router.AlbumWait() > 0 {
		p.Album = []*telego.Message{m} // nobody waited for the others
	}
	return w.admit(p)
}

func (w *World) parts(s scope, raw json.RawMessage) bot.Parts {
	return bot.Parts{
		Bot: w.cfg.Bot, Type: s.name, Raw: raw, Chat: s.chat, User: s.user, Thread: s.thread,
		Business: s.business, API: w.api, Call: w.callAny, Logger: w.cfg.Logger, Attempt: 1, Received: w.Now(),
	}
}

// admit asks the gates and the urgent handlers, then has the turn.
func (w *World) admit(p bot.Parts) error {
	ctx := w.t.Context()
	err := w.router.Admit(ctx, bot.Glance{
		Bot: p.Bot.ID, Type: p.Type, Chat: p.Chat, User: p.User, Thread: p.Thread, Received: w.Now(), Raw: p.Raw,
	})
	if errors.Is(err, bot.ErrDropped) {
		w.mu.Lock()
		w.dropped++
		w.mu.Unlock()
		return nil
	}
	if err != nil {
		return err
	}
	l := w.lane(p)
	if w.router.HasUrgent() {
		urgent := p
		urgent.CancelRunning = l.interrupt
		if err := w.router.AnswerUrgent(ctx, bot.NewTurn(urgent)); err != nil && !errors.Is(err, bot.ErrUnhandled) {
			return err
		}
	}
	return w.turn(ctx, l, p)
}

// turn answers an update within its lane, and commits.
func (w *World) turn(ctx context.Context, l *lane, p bot.Parts) error {
	l.turn.Lock()
	defer l.turn.Unlock()
	key := w.cfg.Strategy.key(p)
	if w.cfg.Strategy == GlobalUser { // one conversation in several lanes
		shared := w.shared(key)
		shared.Lock()
		defer shared.Unlock()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	l.set(cancel)
	defer l.set(nil)

	var buffer memory
	if key != "" {
		buffer = w.recall(key)
		p.State = &buffer
	}
	t := bot.NewTurn(p)
	err := w.router.Answer(ctx, t)
	if err != nil && errors.Is(context.Cause(ctx), bot.ErrCancelled) {
		return nil // stopped on purpose: nothing is kept
	}
	if errors.Is(err, bot.ErrUnhandled) {
		w.mu.Lock()
		w.unhandled++
		w.mu.Unlock()
		err = nil
	}
	if err == nil && key != "" {
		w.keep(key, buffer, t, p)
	}
	return err
}

func (w *World) lane(p bot.Parts) *lane {
	id := p.Chat
	if id == 0 {
		id = p.User
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lanes[id] == nil {
		w.lanes[id] = &lane{}
	}
	return w.lanes[id]
}

func (w *World) shared(key string) *sync.Mutex {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.locks[key] == nil {
		w.locks[key] = &sync.Mutex{}
	}
	return w.locks[key]
}

func (l *lane) set(cancel context.CancelCauseFunc) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cancel = cancel
}

func (l *lane) interrupt() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cancel != nil {
		l.cancel(bot.ErrCancelled)
	}
}

// next makes an id that nothing else in this world has.
func (w *World) next() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lastID++
	return w.lastID
}
