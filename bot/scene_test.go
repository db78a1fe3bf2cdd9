package bot_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/bottest"
)

type booking struct {
	City   string
	Nights int
}

// hotel is a scene of two questions.
func hotel() *bot.Router {
	r := bot.New("hotel")
	begin := r.Scene(bot.Scene{
		Flow: "booking",
		Questions: []bot.Question{
			{State: "booking:city", Ask: bot.Say("Which city?"), Take: func(_ context.Context, t *bot.Turn) error {
				if t.Text() == "" {
					return bot.Retry("A name, please")
				}
				_, err := bot.UpdateData(t, func(b *booking) { b.City = t.Text() })
				return err
			}},
			{State: "booking:nights", Ask: bot.Say("How many nights?"), Take: func(ctx context.Context, t *bot.Turn) error {
				switch t.Text() {
				case "elsewhere":
					return bot.ErrBack
				case "forget it":
					return bot.ErrCancel
				case "rate":
					return t.SetState(ctx, rating)
				case "boom":
					return errors.New("boom")
				}
				n, err := strconv.Atoi(t.Text())
				if err != nil {
					return bot.Retry("A number, please")
				}
				_, err = bot.UpdateData(t, func(b *booking) { b.Nights = n })
				return err
			}},
		},
		Done: func(ctx context.Context, t *bot.Turn) error {
			b, err := bot.Data[booking](t)
			if err != nil {
				return err
			}
			return t.Answer(ctx, fmt.Sprintf("%d nights in %s", b.Nights, b.City))
		},
		Cancelled: bot.Say("Another time"),
		Back:      []bot.Filter{bot.Text("back")},
		Cancel:    []bot.Filter{bot.Command("cancel")},
	})
	r.Message(begin, bot.Command("book"))
	r.Message(bot.Say("Ask me anything"), bot.Command("help"))
	return r
}

func TestSceneAsksInOrder(t *testing.T) {
	t.Parallel()
	ann := bottest.New(t, hotel()).Person("Ann")
	ann.Say("/book")
	ann.Expect("Which city?")
	ann.Say("Rome")
	ann.Expect("How many nights?")
	ann.Say("3")
	ann.Expect("3 nights in Rome")
	ann.ExpectState(bot.None)
}

func TestSceneAsksAQuestionAgain(t *testing.T) {
	t.Parallel()
	ann := bottest.New(t, hotel()).Person("Ann")
	ann.Say("/book")
	ann.Say("Rome")
	ann.Say("many")
	ann.Expect("Which city?", "How many nights?", "A number, please")
	ann.ExpectState("booking:nights")
	ann.Say("/help") // a command is no answer
	ann.Expect("Ask me anything")
	ann.ExpectState("booking:nights")
	var retry *bot.RetryError
	if err := bot.Retry("hint"); !errors.As(err, &retry) || retry.Text != "hint" || err.Error() != "answer not understood" {
		t.Errorf("error is %v", err) // without the text, which is for people
	}
}

func TestSceneGoesBack(t *testing.T) {
	t.Parallel()
	ann := bottest.New(t, hotel()).Person("Ann")
	for _, text := range []string{"/book", "Rome", "back", "Paris", "elsewhere", "back", "Oslo", "2"} {
		ann.Say(text)
	}
	ann.Expect("Which city?", "How many nights?", "Which city?", "How many nights?",
		"Which city?", "Which city?", "How many nights?", "2 nights in Oslo")
}

func TestSceneIsCancelled(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"/cancel", "forget it"} {
		ann := bottest.New(t, hotel()).Person("Ann")
		ann.Say("/book")
		ann.Say("Rome")
		ann.Unread()
		ann.Say(text)
		ann.Expect("Another time")
		ann.ExpectState(bot.None)
	}
}

func TestSceneBeginsAnewAndMayBeLeft(t *testing.T) {
	t.Parallel()
	w := bottest.New(t, hotel())
	ann := w.Person("Ann")
	ann.Say("/book")
	ann.Say("Rome")
	ann.Say("/book")
	ann.ExpectState("booking:city")
	if got := bottest.Data[booking](ann); got != (booking{}) {
		t.Errorf("a new booking begins with %+v", got)
	}
	ann.Say("Rome")
	if err := w.Fails(func() { ann.Say("boom") }); err == nil {
		t.Error("an error of Take was lost")
	}
	ann.Say("rate")
	ann.ExpectState(rating)
}

func TestSceneDoneMayLeadOn(t *testing.T) {
	t.Parallel()
	r := bot.New("r")
	begin := r.Scene(bot.Scene{
		Flow:      "one",
		Questions: []bot.Question{{State: "one:q", Ask: bot.Say("?"), Take: nothing}},
		Done:      func(ctx context.Context, t *bot.Turn) error { return t.SetState(ctx, rating) },
	})
	r.Message(begin, bot.InNoState())
	ann := bottest.New(t, r).Person("Ann")
	ann.Say("hi")
	ann.Say("answer")
	ann.ExpectState(rating)
	mustPanic(t, "has no questions", func() { bot.New("r").Scene(bot.Scene{Flow: "empty"}) })
	mustPanic(t, "wants Ask and Take", func() {
		bot.New("r").Scene(bot.Scene{Flow: "one", Questions: []bot.Question{{State: "one:q"}}})
	})
}
