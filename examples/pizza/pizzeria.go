package main

import (
	"context"
	"fmt"
	"time"

	"github.com/chatlane/chatlane/bot"
)

// Where a conversation about an order stands.
const (
	orderKind    bot.State = "order:kind"
	orderAddress bot.State = "order:address"
	orderConfirm bot.State = "order:confirm"
)

// order is what a conversation has gathered so far.
type order struct {
	Kind    string `json:"kind"`
	Address string `json:"address,omitempty"`
}

// choice and verdict are the data of buttons.
type (
	choice struct {
		Kind string `max:"20"`
	}
	verdict struct{ Yes bool }
)

// shop is the bot with what it works with.
type shop struct {
	kitchen  kitchen
	choices  *bot.CallbackData[choice]
	verdicts *bot.CallbackData[verdict]
}

// pizzeria is the bot: /order asks for kind and address, and has the order confirmed.
func pizzeria(k kitchen) *bot.Router {
	s := shop{k, bot.NewCallbackData[choice]("kind"), bot.NewCallbackData[verdict]("sure")}
	r := bot.New("pizzeria")
	r.Inner(bot.AutoAnswer)
	r.Message(s.begin, bot.Command("order")).To(orderKind)
	r.Message(s.cancel, bot.Command("cancel"), bot.InAnyState()).To(bot.None)
	r.Callback(s.chosen, bot.InState(orderKind), s.choices.Filter()).To(orderAddress)
	r.Message(s.addressed, bot.InState(orderAddress), bot.Plain()).To(orderConfirm)
	r.Callback(s.confirmed, bot.InState(orderConfirm), s.verdicts.Filter()).To(bot.None)
	r.Callback(bot.Say("That was an earlier order. /order begins a new one."))
	r.Message(bot.Say("Please use the buttons, or /cancel."), bot.InState(orderKind, orderConfirm))
	r.Message(bot.Say("/order brings you a pizza."))
	r.OnTimeout(s.expired, 15*time.Minute, orderKind, orderAddress, orderConfirm).To(bot.None)
	return r
}

func (s shop) begin(ctx context.Context, t *bot.Turn) error {
	if err := bot.SetStateWith(ctx, t, orderKind, order{}); err != nil {
		return err
	}
	return t.Answer(ctx, "Which one?", bot.Inline(bot.Row(
		s.choices.Button("Margherita", choice{"Margherita"}),
		s.choices.Button("Funghi", choice{"Funghi"}),
	)))
}

func (s shop) chosen(ctx context.Context, t *bot.Turn) error {
	c, _ := bot.Get[choice](t)
	if err := bot.SetStateWith(ctx, t, orderAddress, order{Kind: c.Kind}); err != nil {
		return err
	}
	return t.Edit(ctx, c.Kind+". Where to?")
}

func (s shop) addressed(ctx context.Context, t *bot.Turn) error {
	o, err := bot.Data[order](t)
	if err != nil {
		return err
	}
	o.Address = t.Text()
	if err := bot.SetStateWith(ctx, t, orderConfirm, o); err != nil {
		return err
	}
	return t.Answer(ctx, fmt.Sprintf("%s to %s?", o.Kind, o.Address), bot.Inline(bot.Row(
		s.verdicts.Button("Yes", verdict{Yes: true}),
		s.verdicts.Button("No", verdict{}),
	)))
}

// confirmed places the order once, however often the turn is tried: the number that
// the kitchen gave is kept until the turn is done.
func (s shop) confirmed(ctx context.Context, t *bot.Turn) error {
	if v, _ := bot.Get[verdict](t); !v.Yes {
		return s.cancel(ctx, t)
	}
	o, err := bot.Data[order](t)
	if err != nil {
		return err
	}
	number, err := bot.Once(ctx, t, "kitchen", func(ctx context.Context) (string, error) { return s.kitchen(ctx, o) })
	if err != nil {
		return err
	}
	if err := t.Clear(ctx); err != nil {
		return err
	}
	return t.Edit(ctx, fmt.Sprintf("Order %s: %s is on its way to %s.", number, o.Kind, o.Address))
}

func (s shop) cancel(ctx context.Context, t *bot.Turn) error {
	if err := t.Clear(ctx); err != nil {
		return err
	}
	return t.Answer(ctx, "Forgotten. /order begins anew.")
}

func (s shop) expired(ctx context.Context, t *bot.Turn) error {
	if err := t.Clear(ctx); err != nil {
		return err
	}
	return t.Answer(ctx, "Your order has expired. /order begins anew.")
}
