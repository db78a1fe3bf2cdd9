package handlers

import (
	"context"
	"fmt"

	"github.com/chatlane/chatlane/bot"
)

const orderQuantity bot.State = "order:quantity"

func order(r *bot.Router) {
	r.Message(askQuantity, bot.Command("order")).To(orderQuantity)

	flow := bot.New("order")
	flow.Message(takeQuantity, bot.InState(orderQuantity), bot.Regexp(`^[1-9]\d{0,3}$`).Named("a number")).To(bot.None)
	flow.Message(dropOrder, bot.InState(orderQuantity), bot.Regexp(`^(?i)cancel$`).Named("cancel")).To(bot.None)
	flow.Message(say("Send a number from 1 to 9999, or cancel."), bot.InState(orderQuantity))
	r.Include(flow)
}

func askQuantity(ctx context.Context, t *bot.Turn) error {
	if err := t.SetState(ctx, orderQuantity); err != nil {
		return err
	}
	return t.Answer(ctx, "How many? Send a number, or cancel.")
}

func takeQuantity(ctx context.Context, t *bot.Turn) error {
	if err := t.Clear(ctx); err != nil {
		return err
	}
	return t.Answer(ctx, fmt.Sprintf("Ordered: %s.", t.Text()))
}

func dropOrder(ctx context.Context, t *bot.Turn) error {
	if err := t.Clear(ctx); err != nil {
		return err
	}
	return t.Answer(ctx, "Order cancelled.")
}
