package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"github.com/chatlane/chatlane/bot"
)

// counter is the bot: /buy something, and /mine. All bots of the shop have it.
func counter(o orders) *bot.Router {
	r := bot.New("counter")
	r.Message(o.buy, bot.Command("buy"))
	r.Message(o.mine, bot.Command("mine"))
	r.Message(bot.Say("/buy something, or look at what is yours: /mine"))
	return r
}

// buy writes an order once, however often its turn is tried: Once keeps the number until
// the turn is done, and the update's id finds a row that a crash kept from Once.
func (o orders) buy(ctx context.Context, t *bot.Turn) error {
	item := t.Command().Args
	if item == "" {
		return t.Answer(ctx, "What? Such as: /buy tea")
	}
	number, err := bot.Once(ctx, t, "order", func(ctx context.Context) (int64, error) {
		return o.add(ctx, order{Bot: t.Bot().ID, Update: t.Update().UpdateID, Chat: t.Chat(), Item: item})
	})
	if err != nil {
		return unavailable(err)
	}
	return t.Answer(ctx, fmt.Sprintf("Order %d: %s.", number, item))
}

func (o orders) mine(ctx context.Context, t *bot.Turn) error {
	all, err := o.list(ctx, t.Bot().ID, t.Chat())
	if err != nil {
		return unavailable(err)
	}
	lines := []string{"Your latest orders:"}
	for _, n := range all {
		lines = append(lines, fmt.Sprintf("%d %s", n.Number, n.Item))
	}
	return t.Answer(ctx, strings.Join(lines, "\n"))
}

// unavailable has the chat wait for a database that is busy. Any other error uses up an
// attempt of the turn.
func unavailable(err error) error {
	if errors.Is(err, sqlite3.BUSY) {
		return &bot.UnavailableError{Err: err}
	}
	return err
}
