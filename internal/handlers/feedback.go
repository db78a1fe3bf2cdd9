package handlers

import (
	"context"
	"fmt"

	"github.com/chatlane/chatlane/bot"
)

const (
	feedbackRating  bot.State = "feedback:rating"
	feedbackComment bot.State = "feedback:comment"
)

type review struct {
	Rating string `json:"rating"`
}

func feedback(r *bot.Router) {
	r.Message(askRating, bot.Command("feedback")).To(feedbackRating)

	flow := bot.New("feedback")
	flow.Message(takeRating, bot.InState(feedbackRating), bot.Regexp(`^[1-5]$`).Named("1 to 5")).To(feedbackComment)
	flow.Message(say("A rating is a number from 1 to 5."), bot.InState(feedbackRating))
	flow.Message(takeComment, bot.InState(feedbackComment), bot.Plain()).To(bot.None)
	flow.Message(say("A comment is a text."), bot.InState(feedbackComment))
	r.Include(flow)
}

func askRating(ctx context.Context, t *bot.Turn) error {
	if err := bot.SetStateWith(ctx, t, feedbackRating, review{}); err != nil {
		return err
	}
	return t.Answer(ctx, "How do you rate us, from 1 to 5?")
}

func takeRating(ctx context.Context, t *bot.Turn) error {
	if err := bot.SetStateWith(ctx, t, feedbackComment, review{Rating: t.Text()}); err != nil {
		return err
	}
	return t.Answer(ctx, "Thank you. And in your own words?")
}

func takeComment(ctx context.Context, t *bot.Turn) error {
	given, err := bot.Data[review](t)
	if err != nil {
		return err
	}
	if err := t.Clear(ctx); err != nil {
		return err
	}
	return t.Answer(ctx, fmt.Sprintf("Noted: %s of 5, %q.", given.Rating, t.Text()))
}
