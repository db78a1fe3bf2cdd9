package handlers

import (
	"context"
	"fmt"

	"github.com/chatlane/chatlane/bot"
)

const tallyCounting bot.State = "tally:counting"

type count struct {
	Texts int `json:"texts"`
}

// tally answers the k-th text T with "k. T", until /stop.
func tally(r *bot.Router) {
	r.Message(beginTally, bot.Command("tally")).To(tallyCounting)
	r.Message(endTally, bot.Command("stop"), bot.InState(tallyCounting)).To(bot.None)

	flow := bot.New("tally")
	flow.Message(countText, bot.InState(tallyCounting), bot.Text())
	flow.Message(say("Only texts count. /stop ends the tally."), bot.InState(tallyCounting))
	r.Include(flow)
}

func beginTally(ctx context.Context, t *bot.Turn) error {
	if err := bot.SetStateWith(ctx, t, tallyCounting, count{}); err != nil {
		return err
	}
	return t.Answer(ctx, "Counting your texts until /stop.")
}

func countText(ctx context.Context, t *bot.Turn) error {
	c, err := bot.UpdateData(t, func(c *count) { c.Texts++ })
	if err != nil {
		return err
	}
	return t.Answer(ctx, fmt.Sprintf("%d. %s", c.Texts, t.Text()))
}

func endTally(ctx context.Context, t *bot.Turn) error {
	c, err := bot.Data[count](t)
	if err != nil {
		return err
	}
	if err := t.Clear(ctx); err != nil {
		return err
	}
	return t.Answer(ctx, fmt.Sprintf("Stopped. Texts counted: %d.", c.Texts))
}
