package i18n_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	goi18n "github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/bot/i18n"
	"github.com/chatlane/chatlane/bottest"
)

func TestTranslateSpeaksTheLanguageOfTheTurn(t *testing.T) {
	t.Parallel()
	bundle := goi18n.NewBundle(language.English)
	bundle.MustAddMessages(language.English,
		&goi18n.Message{ID: "hello", Other: "Hello, {{.Name}}"},
		&goi18n.Message{ID: "pizzas", One: "{{.PluralCount}} pizza", Other: "{{.PluralCount}} pizzas"},
		&goi18n.Message{ID: "only english", Other: "Only English"})
	bundle.MustAddMessages(language.German,
		&goi18n.Message{ID: "hello", Other: "Hallo, {{.Name}}"},
		&goi18n.Message{ID: "pizzas", One: "eine Pizza", Other: "{{.PluralCount}} Pizzen"})
	pick := func(_ context.Context, t *bot.Turn) (string, error) {
		switch t.Text() {
		case "auf deutsch":
			return "de", nil
		case "fail":
			return "", errors.New("no database")
		}
		return "", nil
	}
	r := bot.New("r")
	r.Outer(i18n.Translate(bundle, pick))
	r.Message(func(ctx context.Context, t *bot.Turn) error {
		return t.Answer(ctx, strings.Join([]string{
			i18n.T(t, "hello", map[string]string{"Name": "Ann"}), i18n.TN(t, "pizzas", 1), i18n.TN(t, "pizzas", 3),
			i18n.T(t, "only english", nil), i18n.T(t, "missing", nil),
		}, ", "))
	})
	w := bottest.New(t, r)
	ann := w.Person("Ann")
	ann.Say("hi")
	ann.Expect("Hello, Ann, 1 pizza, 3 pizzas, Only English, missing")
	ann.Speaking("de-at").Say("hi")
	ann.Say("auf deutsch")
	ann.Speaking("fr").Say("hi")
	const german = "Hallo, Ann, eine Pizza, 3 Pizzen, Only English, missing"
	ann.Expect(german, german, "Hello, Ann, 1 pizza, 3 pizzas, Only English, missing")
	if err := w.Fails(func() { ann.Say("fail") }); err == nil {
		t.Error("the error of pick was lost")
	}
	if got := i18n.T(bot.NewTurn(bot.Parts{}), "hello", nil); got != "hello" {
		t.Errorf("without translation: %q", got)
	}
}
