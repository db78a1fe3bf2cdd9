package turn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/mymmrac/telego"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/telegram/api"
	"github.com/chatlane/chatlane/internal/telegram/update"
)

// dispatch has the router answer the update and sets the outcome, unless it has one already.
func (t *task) dispatch(ctx context.Context) (progress, error) {
	t.timer = timerWish{} // an earlier attempt's is void
	if t.outcome != "" {
		return goOn, nil
	}
	p, err := t.parts(ctx)
	if err != nil {
		return goOn, err
	}
	kept, err := t.brought()
	if err != nil {
		return goOn, err
	}
	calls := t.give(&p, t.session, t.r.results.of(t.position()), kept.Turn)
	p.Session, p.Final = t.state(), hopeless
	if t.album.complete {
		if p.Update, err = t.decode(ctx); err != nil {
			return goOn, err
		}
		p.Album = t.album.messages(p.Update)
	}
	turn := bot.NewTurn(p)
	handling, over := t.running.cancellable(ctx)
	defer over()
	err = t.supervise(handling, t.session, calls, func(ctx context.Context) error { return t.r.deps.Program.Answer(ctx, turn) })
	t.readTimer(turn, err)
	switch {
	case err != nil && errors.Is(context.Cause(handling), bot.ErrCancelled):
		return t.skip(ctx, outCancelled)
	case errors.Is(err, bot.ErrUnhandled):
		t.outcome = outUnhandled
		return goOn, nil
	}
	t.outcome = outCommitted
	return goOn, err
}

func (t *task) parts(ctx context.Context) (bot.Parts, error) {
	id, known := t.r.deps.Bots[t.d.Scope.Bot]
	if t.d.Scope.Bot == 0 || t.d.Type == "" {
		return bot.Parts{}, fmt.Errorf("%w: it was not published by ingress", ErrUndecoded)
	}
	if !known {
		return bot.Parts{}, fmt.Errorf("bot %d: %w", t.d.Scope.Bot, ErrNoBot)
	}
	p := bot.Parts{
		Bot:  bot.Info{ID: t.d.Scope.Bot, Username: t.r.username(t.d.Scope.Bot, id)},
		Type: t.d.Type, Raw: t.d.Body, ID: t.d.ID,
		Chat: t.d.Scope.Chat, User: t.d.Scope.User, Thread: t.d.Scope.Thread, Business: t.business(), Guest: t.d.Scope.Kind == lane.KindGuest,
		Attempt: t.attempts + 1, Last: t.attempts+1 >= t.r.cfg.MaxAttempts, Received: t.d.Received, Deadline: t.deadline(),
		Logger: t.r.authors.With(slog.Int64("bot", t.d.Scope.Bot), slog.String("lane", string(t.d.Lane))),
	}
	if t.d.Type != bot.Timeout.String() {
		p.Decode = func() (*telego.Update, error) { return t.decode(ctx) }
	}
	return p, nil
}

// decode runs when a handler first asks for the update: one that is forwarded, or read raw, needs to fit no type.
func (t *task) decode(ctx context.Context) (*telego.Update, error) {
	u, dropped, err := update.Decode(t.d.Body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUndecoded, err)
	}
	if len(dropped) > 0 {
		t.r.log.WarnContext(ctx, "parts of the update are newer than this worker", t.attrs(slog.Any("dropped", dropped))...)
	}
	return u, nil
}

// state returns a bare nil for an update without state: a nil pointer in an interface is not nil.
func (t *task) state() bot.Session {
	if t.keys.State == "" {
		return nil
	}
	return t.session
}

func (t *task) business() string {
	if t.d.Scope.Kind == lane.KindBusiness {
		return t.d.Scope.ID
	}
	return ""
}

// give adds one attempt's calls to p; results that s cannot journal go to own. What is brought answers calls too.
func (t *task) give(p *bot.Parts, s *fsm.Session, own *unfinished, brought map[int][]byte) *api.Calls {
	calls := t.r.deps.Client.Turn(t.r.deps.Bots[t.d.Scope.Bot].Token, own.journal(s, brought), append(callMiddleware(t.r.deps.Program), t.tellFloods))
	p.API, p.Call, p.Once, p.File = calls.Bot(), calls.Call, calls.Once, calls.File
	return calls
}

// tellFloods has the handler see the waits that its lane does not make for it.
func (t *task) tellFloods(next api.CallFunc) api.CallFunc {
	return func(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error) {
		result, err := next(ctx, method, params)
		if err != nil {
			err = api.TellFlood(err, t.d.Scope.Chat, t.r.cfg.ParkAfter, t.r.cfg.FloodWait)
		}
		return result, err
	}
}

func callMiddleware(p *bot.Program) []api.Around {
	middleware := func(next api.CallFunc) api.CallFunc { return api.CallFunc(p.WrapCalls(bot.CallFunc(next))) }
	// Translates at-most-once between handler and client.
	atMostOnce := func(next api.CallFunc) api.CallFunc {
		return func(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error) {
			if bot.IsAtMostOnce(ctx) {
				ctx = api.AtMostOnce(ctx)
			}
			if bot.IsBulk(ctx) {
				ctx = api.Bulk(ctx)
			}
			result, err := next(ctx, method, params)
			if errors.Is(err, api.ErrMaybeSent) {
				err = fmt.Errorf("%w: %w", bot.ErrMaybeSent, err)
			}
			return result, err
		}
	}
	return []api.Around{middleware, atMostOnce}
}
