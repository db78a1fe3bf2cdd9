package handlers_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mymmrac/telego"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/bottest"
	"github.com/chatlane/chatlane/internal/handlers"
)

func ann(t *testing.T) *bottest.Person {
	t.Helper()
	t.Parallel()
	return bottest.New(t, handlers.New()).Person("Ann")
}

func TestStartAsksNameThenAge(t *testing.T) {
	p := ann(t)
	p.Say("/start")
	p.Expect("Welcome! What is your name?")
	p.Say(" Ann ")
	p.Expect("Hello, Ann. How old are you?")
	p.Say("30")
	p.Expect("Nice to meet you, Ann, 30 years old.")
	p.ExpectState(bot.None)
}

func TestOrderTakesANumber(t *testing.T) {
	p := ann(t)
	p.Say("/order")
	p.Expect("How many? Send a number, or cancel.")
	p.Say("12")
	p.Expect("Ordered: 12.")
	p.ExpectState(bot.None)
}

func TestOrderTakesCancel(t *testing.T) {
	p := ann(t)
	p.Say("/order")
	p.Say("Cancel")
	p.Expect("How many? Send a number, or cancel.", "Order cancelled.")
	p.ExpectState(bot.None)
}

func TestFeedbackAsksRatingThenComment(t *testing.T) {
	p := ann(t)
	p.Say("/feedback")
	p.Expect("How do you rate us, from 1 to 5?")
	p.Say("4")
	p.Expect("Thank you. And in your own words?")
	p.Say("Hot and quick.")
	p.Expect(`Noted: 4 of 5, "Hot and quick.".`)
	p.ExpectState(bot.None)
}

func TestTallyCountsTextsUntilStop(t *testing.T) {
	p := ann(t)
	p.Say("/tally")
	p.Expect("Counting your texts until /stop.")
	for _, text := range []string{"one", "two", "/unknown", "two"} {
		p.Say(text)
	}
	p.Expect("1. one", "2. two", "3. /unknown", "4. two")
	p.Say("/help")
	p.ExpectMatch("/tally")
	p.Say("five")
	p.Expect("5. five")
	p.Say("/stop")
	p.Expect("Stopped. Texts counted: 5.")
	p.Say("six")
	p.ExpectSilence()
}

func TestTallyBeginsAnew(t *testing.T) {
	p := ann(t)
	for _, text := range []string{"/tally", "a", "/tally", "b"} {
		p.Say(text)
	}
	p.Expect("Counting your texts until /stop.", "1. a", "Counting your texts until /stop.", "1. b")
}

func TestWrongInputGetsAHintAndStays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		path  []string
		state bot.State
		hint  string
	}{
		{[]string{"/start"}, "start:name", "A name is a few words of text."},
		{[]string{"/start", "Ann"}, "start:age", "An age is a number from 1 to 149."},
		{[]string{"/order"}, "order:quantity", "Send a number from 1 to 9999, or cancel."},
		{[]string{"/feedback"}, "feedback:rating", "A rating is a number from 1 to 5."},
		{[]string{"/feedback", "5"}, "feedback:comment", "A comment is a text."},
		{[]string{"/tally"}, "tally:counting", "Only texts count. /stop ends the tally."},
	} {
		t.Run(string(c.state), func(t *testing.T) {
			p := ann(t)
			for _, text := range c.path {
				p.Say(text)
			}
			p.Unread()
			p.Send(telego.Message{Sticker: &telego.Sticker{Emoji: "?"}})
			p.Expect(c.hint)
			p.ExpectState(c.state)
			if c.state != "tally:counting" { // where any text counts
				p.Say("/what")
				p.Expect(c.hint)
				p.ExpectState(c.state)
			}
			p.Say("/cancel")
			p.Expect("Cancelled.")
			p.ExpectState(bot.None)
		})
	}
}

func TestACommandLeavesTheFlowForItsOwn(t *testing.T) {
	p := ann(t)
	p.Say("/feedback")
	p.Say("3")
	p.Say("/order")
	p.ExpectState("order:quantity")
	p.Say("/feedback")
	p.ExpectState("feedback:rating")
}

func TestCancelOutsideOfAFlowSaysSo(t *testing.T) {
	p := ann(t)
	p.Say("/cancel")
	p.Expect("There is nothing to cancel.")
}

func TestPeopleOfAGroupHaveTheirOwnFlows(t *testing.T) {
	t.Parallel()
	w := bottest.New(t, handlers.New())
	g := w.Group("Team")
	ann, bob := w.Person("Ann").In(g), w.Person("Bob").In(g)
	ann.Say("/tally@test_bot")
	bob.Say("/tally")
	ann.Say("a")
	bob.Say("b")
	ann.Say("c")
	ann.Expect("Counting your texts until /stop.", "Counting your texts until /stop.", "1. a", "1. b", "2. c")
}

func TestFlowsAreUnder60Lines(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(raw), "\n"); n >= 60 {
			t.Errorf("%s has %d lines, want less than 60", name, n)
		}
	}
}
