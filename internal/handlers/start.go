package handlers

import (
	"context"
	"fmt"
	"strings"

	"github.com/chatlane/chatlane/bot"
)

const (
	startName bot.State = "start:name"
	startAge  bot.State = "start:age"
)

type profile struct {
	Name string `json:"name"`
}

func start(r *bot.Router) {
	r.Message(askName, bot.Command("start")).To(startName)

	flow := bot.New("start")
	flow.Message(takeName, bot.InState(startName), bot.Plain()).To(startAge)
	flow.Message(say("A name is a few words of text."), bot.InState(startName))
	flow.Message(takeAge, bot.InState(startAge), bot.Regexp(`^([1-9]\d?|1[0-4]\d)$`).Named("1 to 149")).To(bot.None)
	flow.Message(say("An age is a number from 1 to 149."), bot.InState(startAge))
	r.Include(flow)
}

func askName(ctx context.Context, t *bot.Turn) error {
	if err := bot.SetStateWith(ctx, t, startName, profile{}); err != nil {
		return err
	}
	return t.Answer(ctx, "Welcome! What is your name?")
}

func takeName(ctx context.Context, t *bot.Turn) error {
	name := strings.TrimSpace(t.Text())
	if err := bot.SetStateWith(ctx, t, startAge, profile{Name: name}); err != nil {
		return err
	}
	return t.Answer(ctx, fmt.Sprintf("Hello, %s. How old are you?", name))
}

func takeAge(ctx context.Context, t *bot.Turn) error {
	p, err := bot.Data[profile](t)
	if err != nil {
		return err
	}
	if err := t.Clear(ctx); err != nil {
		return err
	}
	return t.Answer(ctx, fmt.Sprintf("Nice to meet you, %s, %s years old.", p.Name, t.Text()))
}
