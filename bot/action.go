package bot

import (
	"context"
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
	return func(ctx context.Context, t *Turn) error {
		to, err := t.destination()
		if err != nil {
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
		shown.Go(func() { showAction(showing, t.p.API, params) })
		defer shown.Wait()
		defer stop()
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
