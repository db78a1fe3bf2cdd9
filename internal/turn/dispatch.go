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
	"github.com/chatlane/chatlane/internal/telegram/api"
	"github.com/chatlane/chatlane/internal/telegram/update"
)

// answer runs the router under the handler deadline. Its context ends with the
// deadline, with the lock, or with the partition; a handler that ignores that is
// abandoned after the grace period, and nothing it does later has effect.
func (t *task) answer(ctx context.Context, s *fsm.Session) (outcome string, err error) {
	t.timer = timerWish{} // an earlier attempt's came to nothing
	if t.stale() {
		return outStale, nil
	}
	p, err := t.parts(ctx)
	if err != nil {
		return "", err
	}
	calls := t.r.deps.Client.Turn(t.r.deps.Bots[t.d.Scope.Bot].Token, t.r.results.of(t.position()).journal(s), arounds(t.r.deps.Router))
	p.Session, p.API, p.Call, p.Once, p.File = t.state(s), calls.Bot(), calls.Call, calls.Once, calls.File
	p.Album = t.album.messages(p.Update)
	turn := bot.NewTurn(p)
	ctx, over := t.running.attempt(ctx)
	defer over()
	err = t.supervise(ctx, s, calls, func(ctx context.Context) error { return t.r.deps.Router.Answer(ctx, turn) })
	t.noteTimer(turn, err)
	switch {
	case err != nil && errors.Is(context.Cause(ctx), bot.ErrCancelled):
		return outCancelled, nil
	case errors.Is(err, bot.ErrUnhandled):
		return outUnhandled, err
	}
	return outCommitted, err
}

// stale tells that the update has outlived its use.
func (t *task) stale() bool {
	limit := t.r.cfg.Freshness(t.d.Type)
	return limit > 0 && t.d.Age() > limit && t.d.Replay == 0
}

// parts is what the bot's turn is made of, but for its state and its calls.
func (t *task) parts(ctx context.Context) (bot.Parts, error) {
	id, known := t.r.deps.Bots[t.d.Scope.Bot]
	if t.d.Scope.Bot == 0 {
		return bot.Parts{}, fmt.Errorf("%w: it was not published by ingress", ErrUndecoded)
	}
	if !known {
		return bot.Parts{}, fmt.Errorf("bot %d: %w", t.d.Scope.Bot, ErrNoBot)
	}
	u, err := t.decode(ctx)
	if err != nil {
		return bot.Parts{}, err
	}
	return bot.Parts{
		Bot:  bot.Info{ID: t.d.Scope.Bot, Username: t.r.username(t.d.Scope.Bot, id)},
		Type: t.d.Type, Raw: t.d.Body, Update: u,
		Chat: t.d.Scope.Chat, User: t.d.Scope.User, Thread: t.d.Scope.Thread, Business: t.business(),
		Attempt: t.attempts + 1, Last: t.attempts+1 >= t.r.cfg.MaxAttempts, Received: t.d.Received,
		Logger: t.r.log.With(slog.Int64("bot", t.d.Scope.Bot), slog.String("lane", string(t.d.Lane))),
	}, nil
}

// decode reads the update; a timeout has none.
func (t *task) decode(ctx context.Context) (*telego.Update, error) {
	if t.d.Type == bot.Timeout.String() {
		return nil, nil //nolint:nilnil // none is an answer here
	}
	u, dropped, err := update.Decode(t.d.Body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUndecoded, err)
	}
	if len(dropped) > 0 {
		t.r.log.WarnContext(ctx, "parts of the update are newer than this worker", t.attrs(slog.Any("dropped", dropped))...)
	}
	return u, nil
}

// admitted asks the router's gates, which see no state and hold no lock, until they
// have let the update pass: a turn that has begun is not dropped half way.
func (t *task) admitted(ctx context.Context) (err error) {
	if t.passed {
		return nil
	}
	if b := t.urgent; b != nil && b.asked {
		err, b.asked = b.admitted, false
	} else {
		err = t.admit(ctx)
	}
	if errors.Is(err, bot.ErrUnhandled) {
		err = fmt.Errorf("a gate has no say in that: %v", err) //nolint:errorlint // it must not be taken for a handler's
	}
	t.passed = err == nil
	return err
}

func (t *task) admit(ctx context.Context) error {
	s := t.d.Scope
	return t.r.deps.Router.Admit(ctx, bot.Envelope{
		Bot: s.Bot, Update: t.d.ID, Type: t.d.Type, Chat: s.Chat, User: s.User, Thread: s.Thread, Received: t.d.Received, Raw: t.d.Body,
	})
}

// supervise runs work until it returns or has to be abandoned.
func (t *task) supervise(ctx context.Context, s *fsm.Session, calls *api.Calls, work func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	limited, stop := context.WithTimeoutCause(ctx, t.r.cfg.Deadline, ErrDeadline)
	defer stop()
	ended := make(chan error, 1)
	go func() {
		defer func() {
			if v := recover(); v != nil {
				ended <- recovered(v)
			}
		}()
		ended <- work(limited)
	}()
	select {
	case err := <-ended:
		return causeOf(limited, err)
	case <-s.Lost():
		cancel(fsm.ErrLockLost)
	case <-limited.Done():
	}
	return t.outlast(limited, calls, ended)
}

// outlast gives a cancelled handler the grace period, then closes its calls.
func (t *task) outlast(ctx context.Context, calls *api.Calls, ended <-chan error) error {
	grace, stop := context.WithTimeout(context.WithoutCancel(ctx), t.r.cfg.Grace)
	defer stop()
	select {
	case err := <-ended:
		if err == nil && !errors.Is(context.Cause(ctx), fsm.ErrLockLost) {
			return nil // it finished all the same; the commit is what decides
		}
		return causeOf(ctx, errors.Join(context.Cause(ctx), err))
	case <-grace.Done():
		calls.Close(ErrAbandoned)
		t.r.metrics.abandoned.Inc()
		t.r.log.ErrorContext(ctx, "handler ignores its cancelled context and is abandoned", t.attrs()...)
		return causeOf(ctx, context.Cause(ctx))
	}
}

// causeOf says why a handler's context ended, where its own error only says that it did.
func causeOf(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return err
}

// state is nil where the update has none: a nil pointer in an interface would not be.
func (t *task) state(s *fsm.Session) bot.Session {
	if t.keys.State == "" {
		return nil
	}
	return s
}

func (t *task) business() string {
	if t.d.Scope.Kind == 'b' {
		return t.d.Scope.ID
	}
	return ""
}

// arounds hands the router's request middleware to the client.
func arounds(r *bot.Router) []api.Around {
	mws := r.CallMiddleware()
	out := make([]api.Around, 0, len(mws))
	for _, mw := range mws {
		out = append(out, func(next api.CallFunc) api.CallFunc {
			return api.CallFunc(mw(bot.CallFunc(next)))
		})
	}
	// The innermost: what a bot's author asks of a call, in the client's words.
	return append(out, func(next api.CallFunc) api.CallFunc {
		return func(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error) {
			if bot.IsAtMostOnce(ctx) {
				ctx = api.AtMostOnce(ctx)
			}
			result, err := next(ctx, method, params)
			if errors.Is(err, api.ErrMaybeSent) {
				err = fmt.Errorf("%w: %w", bot.ErrMaybeSent, err)
			}
			return result, err
		}
	})
}
