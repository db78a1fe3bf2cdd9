package bot

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/mymmrac/telego"
)

// Telegram shows a chat action for 5 s. Quick handlers need none.
const (
	actionAfter = 300 * time.Millisecond
	actionEvery = 4500 * time.Millisecond
)

// Action is the chat action that [ShowAction] shows for a handler that has it
// [With] it: "typing", "upload_photo".
type Action string

// ShowAction is inner middleware that shows "typing", or the handler's own [Action],
// in the chat for as long as the handler works.
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
			BusinessConnectionID: t.p.Business, ChatID: telego.ChatID{ID: to.chat},
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

// showAction repeats a chat action until ctx ends. What Telegram says to it is of no
// interest.
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
