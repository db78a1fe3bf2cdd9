package handlers

import (
	"context"

	"github.com/chatlane/chatlane/bot"
)

func cancel(r *bot.Router) {
	r.Message(leave, bot.Command("cancel"), bot.InAnyState()).To(bot.None)
	r.Message(say("There is nothing to cancel."), bot.Command("cancel"))
}

func leave(ctx context.Context, t *bot.Turn) error {
	if err := t.Clear(ctx); err != nil {
		return err
	}
	return t.Answer(ctx, "Cancelled.")
}
