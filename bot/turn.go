package bot

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/mymmrac/telego"
)

// Session is the buffered state of one conversation, for pipelines. What is set is stored when the turn
// commits. Slices are handed over whole and never written to.
type Session interface {
	State() string
	SetState(state string)
	Data() []byte
	SetData(data []byte)
	// Meta is for this package's own bookkeeping.
	Meta() []byte
	SetMeta(meta []byte)
}

// Info is the bot that a turn is for.
type Info struct {
	ID       int64
	Username string // without @
}

// Parts is what a pipeline makes a turn of. Zero values are what the update lacks.
type Parts struct {
	Bot    Info
	Type   string // the Bot API's name, or "timeout"
	Raw    json.RawMessage
	ID     int64          // of the update; 0 means Update's
	Update *telego.Update // nil for a timeout, and where Decode gives it
	// Decode gives the update when something first asks for its typed form. An error fails what asked.
	Decode   func() (*telego.Update, error)
	Album    []*telego.Message
	Chat     int64
	User     int64
	Thread   int64
	Business string  // business connection
	Guest    bool    // the bot is a guest of the chat: it answers by answerGuestQuery alone
	Session  Session // nil where the update belongs to no conversation
	API      *telego.Bot
	Call     func(ctx context.Context, method string, params any) (json.RawMessage, error) // see [Turn.Call]
	Once     OnceFunc
	File     func(ctx context.Context, path string) (io.ReadCloser, error) // opens what getFile gave the path of
	Logger   *slog.Logger
	Attempt  int                  // from 1
	Last     bool                 // no attempt follows if this one fails
	Final    func(err error) bool // whether no attempt follows if this one fails with err; nil: never
	Received time.Time            // when ingress took it; zero if unknown
	Deadline time.Time            // when its answer is due; zero for never
	// CancelRunning ends the lane's running turn; the pipeline gives it to urgent turns.
	CancelRunning func()
}

// OnceFunc runs do, or returns what do returned in an earlier attempt of the turn.
type OnceFunc func(ctx context.Context, key string, do func(context.Context) (json.RawMessage, error)) (json.RawMessage, error)

// Turn is one update on its way through a router. One goroutine may use it at a time, and none after the
// handler has returned.
type Turn struct {
	p       Parts
	typ     Type
	message *telego.Message
	command *CommandLine
	values  []any

	program *Program
	route   *Route
	meta    *meta
	timer   Timer
	depth   int // of moves within moves, through hooks

	answered bool // the callback query, or the guest's
	final    bool // error handlers were shown an error after which no attempt follows
	late     bool // a timeout of a state that was left
}

// NewTurn makes a turn of its parts, for [Program.Answer].
func NewTurn(p Parts) *Turn {
	t := &Turn{p: p, typ: TypeOf(p.Type)}
	switch u := p.Update; {
	case u != nil:
		t.message = messageOf(u)
		t.p.Guest = p.Guest || u.GuestMessage != nil
		if u.ChatJoinRequest != nil {
			t.p.Chat = u.ChatJoinRequest.Chat.ID
		}
	case t.typ == ChatJoinRequest:
		t.p.Chat = cmp.Or(requestChat(p.Raw), p.Chat)
	}
	return t
}

// Bot is the bot that the update is for.
func (t *Turn) Bot() Info { return t.p.Bot }

// Type is the update's type; [Unknown] if this version has no name for it.
func (t *Turn) Type() Type { return t.typ }

// Update is the decoded update, never nil, but empty for a timeout. The update is decoded when a handler, filter
// or middleware first asks for it, here or by [Turn.Message] and the like. If it does not fit the types of this
// version, the turn fails there; [Turn.Raw] has it all the same.
func (t *Turn) Update() *telego.Update {
	if u := t.decoded(); u != nil {
		return u
	}
	return &telego.Update{}
}

// Raw is the update as it arrived, with fields that this version does not decode.
func (t *Turn) Raw() json.RawMessage { return t.p.Raw }

// Message is the update's message, or the one under which a button was pressed; nil if there is none, or the
// bot may not see it.
func (t *Turn) Message() *telego.Message {
	t.decoded()
	return t.message
}

// Query is the callback query, or nil.
func (t *Turn) Query() *telego.CallbackQuery {
	u := t.decoded()
	if u == nil {
		return nil
	}
	return u.CallbackQuery
}

// Album lists the messages of a media group, oldest first, where [Router.Albums] is on.
func (t *Turn) Album() []*telego.Message { return t.p.Album }

// Text is the message's text, else its caption, else nothing.
func (t *Turn) Text() string {
	switch m := t.Message(); {
	case m == nil || t.typ == CallbackQuery:
		return ""
	case m.Text != "":
		return m.Text
	default:
		return m.Caption
	}
}

// Chat is the chat's id. An update that names none, such as an inline query, has the user's private chat with
// the bot; 0 without a user. [ChatType] and its siblings ask about this chat.
func (t *Turn) Chat() int64 { return t.p.Chat }

// User is the id of the user who acted, 0 if the update names none. For an anonymous administrator or a
// channel that writes in a group it is the sender chat's id: [Turn.From] is then a placeholder of Telegram's.
func (t *Turn) User() int64 { return t.p.User }

// Thread is the forum topic, 0 outside of one.
func (t *Turn) Thread() int64 { return t.p.Thread }

// Business is the business connection, empty outside of one.
func (t *Turn) Business() string { return t.p.Business }

// Attempt is the number of this attempt at the update, from 1.
func (t *Turn) Attempt() int { return t.p.Attempt }

// LastAttempt reports that the update becomes a dead letter if this attempt fails, so that an error handler can
// apologise. After a refusal of the Bot API that no later attempt can change, the first attempt is the last one.
func (t *Turn) LastAttempt() bool { return t.p.Last }

// Received is when ingress took the update; now, if that is unknown.
func (t *Turn) Received() time.Time {
	if t.p.Received.IsZero() {
		return time.Now()
	}
	return t.p.Received
}

// Deadline is when the answer is due: after it the asker has given up, or Telegram takes no answer (checkouts
// and join requests 10 s after arrival, inline queries 30 s, pressed buttons 150 s). Ok is false if the type
// has no such time. A turn may begin later; its handler runs all the same.
func (t *Turn) Deadline() (due time.Time, ok bool) { return t.p.Deadline, !t.p.Deadline.IsZero() }

// Envelope is what a [Gate] sees of the update.
func (t *Turn) Envelope() Envelope {
	return Envelope{
		Bot: t.p.Bot.ID, Update: t.id(), Type: t.p.Type, Chat: t.p.Chat, User: t.p.User,
		Thread: t.p.Thread, Received: t.Received(), Raw: t.p.Raw,
	}
}

// API is the whole Bot API. Its calls are limited, journaled and traced.
func (t *Turn) API() *telego.Bot { return t.p.API }

// Logger logs with the attributes of this turn. Log no update text.
func (t *Turn) Logger() *slog.Logger {
	if t.p.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return t.p.Logger
}

// CancelRunning ends the lane's running turn with [ErrCancelled]. Only an urgent handler can; elsewhere it
// does nothing.
func (t *Turn) CancelRunning() {
	if t.p.CancelRunning != nil {
		t.p.CancelRunning()
	}
}

type value[T any] struct{ v T }

// Put shares a value, under its type, with what runs later in this turn. A later value of the same type hides
// it. Values that a filter or a skipping handler has put are gone when the next handler is tried.
func Put[T any](t *Turn, v T) { t.values = append(t.values, value[T]{v}) }

// Get returns the value of type T that was put last, and whether there is one.
func Get[T any](t *Turn) (T, bool) {
	for _, kept := range slices.Backward(t.values) {
		if v, ok := kept.(value[T]); ok {
			return v.v, true
		}
	}
	var none T
	return none, false
}

// With is a filter that always passes and puts v: a handler's setting that inner middleware can [Get].
func With[T any](v T) Filter {
	boxed := any(value[T]{v})
	return Func(func(_ context.Context, t *Turn) (bool, error) {
		t.values = append(t.values, boxed)
		return true, nil
	})
}
