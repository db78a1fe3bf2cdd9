package bot

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/mymmrac/telego"
)

// Telegram shows a chat action for 5 s. Quick handlers need none.
const (
	actionAfter = 300 * time.Millisecond
	actionEvery = 4500 * time.Millisecond
)

// Action is the chat action that [ShowAction] shows for a handler registered [With] it: "typing", "upload_photo".
type Action string

// ShowAction is inner middleware that shows "typing", or the handler's own [Action], while the handler runs,
// from 0.3 s on. Errors of these calls are ignored; a panic of call middleware in them fails the turn.
func ShowAction(next Handler) Handler {
	return func(ctx context.Context, t *Turn) (err error) {
		to, noChat := t.destination()
		if noChat != nil {
			return next(ctx, t)
		}
		action, ok := Get[Action](t)
		if !ok {
			action = telego.ChatActionTyping
		}
		params := &telego.SendChatActionParams{
			BusinessConnectionID: to.business, ChatID: telego.ChatID{ID: to.chat},
			MessageThreadID: to.thread, Action: string(action),
		}
		showing, stop := context.WithCancel(ctx)
		var shown sync.WaitGroup
		var broken error // a panic of call middleware, which would end the process
		shown.Go(func() {
			broken = recovering(showing, t, func(ctx context.Context, t *Turn) error {
				showAction(ctx, t.p.API, params)
				return nil
			})
		})
		defer func() {
			stop()
			shown.Wait()
			if broken == nil {
				return
			}
			if err != nil && !passed(err) {
				broken = errors.Join(err, broken)
			}
			err = broken
		}()
		return next(ctx, t)
	}
}

func showAction(ctx context.Context, api *telego.Bot, params *telego.SendChatActionParams) {
	wait := time.NewTimer(actionAfter)
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
			_ = api.SendChatAction(ctx, params)
			wait.Reset(actionEvery)
		}
	}
}

// Notice is how [AutoAnswer] answers the button of a handler registered [With] it.
type Notice struct {
	Text   string
	Alert  bool
	Before bool // answer before the handler runs, for slow ones
}

// AutoAnswer is inner middleware that answers a pressed button if its handler succeeds without answering it,
// so that no button keeps its progress bar. A button that can no longer be answered is no error.
func AutoAnswer(next Handler) Handler {
	return func(ctx context.Context, t *Turn) error {
		if t.Query() == nil {
			return next(ctx, t)
		}
		n, _ := Get[Notice](t)
		if n.Before {
			if err := t.autoAnswer(ctx, n); err != nil {
				return err
			}
		}
		if err := next(ctx, t); err != nil {
			return err
		}
		return t.autoAnswer(ctx, n)
	}
}

func (t *Turn) autoAnswer(ctx context.Context, n Notice) error {
	if t.answered {
		return nil
	}
	err := t.SendCallback(ctx, telego.AnswerCallbackQueryParams{Text: n.Text, ShowAlert: n.Alert})
	if err != nil && ctx.Err() == nil && !blameless(err) {
		t.Logger().DebugContext(ctx, "button not answered", slog.String("error", err.Error()))
		return nil
	}
	return err
}
