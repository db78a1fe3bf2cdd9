package bot_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mymmrac/telego"
	tu "github.com/mymmrac/telego/telegoutil"
	goi18n "github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/bot/i18n"
	"github.com/chatlane/chatlane/bot/throttle"
	"github.com/chatlane/chatlane/bottest"
)

// The code of docs/writing-a-bot.md, so that it compiles and does what the guide says.

const (
	cartQuantity bot.State = "cart:quantity"
	cartAddress  bot.State = "cart:address"
)

type cart struct {
	Pizzas string `json:"pizzas"`
}

func pizza() *bot.Router {
	r := bot.New("pizza")
	r.Message(startOrder, bot.Command("order")).To(cartQuantity)
	r.Message(takeQuantity, bot.InState(cartQuantity), bot.Regexp(`^\d+$`)).To(cartAddress)
	r.Message(bot.Say("A number, please."), bot.InState(cartQuantity), bot.Plain())
	r.Message(takeAddress, bot.InState(cartAddress), bot.Plain()).To(bot.None)
	return r
}

func startOrder(ctx context.Context, t *bot.Turn) error {
	if err := t.SetState(ctx, cartQuantity); err != nil {
		return err
	}
	return t.Answer(ctx, "How many?")
}

func takeQuantity(ctx context.Context, t *bot.Turn) error {
	if err := bot.SetStateWith(ctx, t, cartAddress, cart{Pizzas: t.Text()}); err != nil {
		return err
	}
	return t.Answer(ctx, "Where to?")
}

func takeAddress(ctx context.Context, t *bot.Turn) error {
	c, err := bot.Data[cart](t)
	if err != nil {
		return err
	}
	if err := t.Clear(ctx); err != nil {
		return err
	}
	return t.Answer(ctx, fmt.Sprintf("%s pizzas go to %s.", c.Pizzas, t.Text()))
}

func TestOrder(t *testing.T) {
	t.Parallel()
	world := bottest.New(t, pizza())
	ann := world.Person("Ann")
	ann.Say("/order")
	ann.Expect("How many?")
	ann.Say("lots")
	ann.Expect("A number, please.")
	ann.Say("2")
	ann.Say("Main Street 1")
	ann.Expect("Where to?", "2 pizzas go to Main Street 1.")
	ann.ExpectState(bot.None)
}

type account struct{ Name string }

func logged(next bot.Handler) bot.Handler {
	return func(ctx context.Context, t *bot.Turn) error {
		began := time.Now()
		err := next(ctx, t)
		t.Logger().InfoContext(ctx, "turn", slog.Duration("took", time.Since(began)))
		return err
	}
}

func signedIn(next bot.Handler) bot.Handler {
	return func(ctx context.Context, t *bot.Turn) error {
		bot.Put(t, account{Name: "Ann"}) // look it up
		return next(ctx, t)
	}
}

func onDuty(_ context.Context, t *bot.Turn) (bool, error) {
	h := t.Received().Hour()
	return h >= 9 && h < 17, nil
}

type vote2 struct {
	Poll int64
	Up   bool
}

func guided(bundle *goi18n.Bundle) *bot.Router {
	r := bot.New("guide")

	admin := bot.New("admin")
	admin.Guard(bot.FromUser(1, 2), bot.InPrivate())
	admin.Message(bot.Say("Done."), bot.Command("restart"))
	r.Include(admin)

	r.Outer(logged)
	r.Outer(signedIn, bot.Message, bot.CallbackQuery)
	r.Inner(bot.AutoAnswer)
	r.Inner(bot.ShowAction)

	r.Message(bot.Say("Hello!"), bot.Command("hello"), bot.Func(onDuty).Named("on duty"))
	r.Message(func(ctx context.Context, t *bot.Turn) error {
		a, _ := bot.Get[account](t)
		return t.Answer(ctx, "You are "+a.Name)
	}, bot.Command("me"))

	votes := bot.NewCallbackData[vote2]("vote")
	r.Message(bot.Say("Pizza today?", bot.Inline(bot.Row(
		votes.Button("Yes", vote2{Poll: 7, Up: true}),
		votes.Button("No", vote2{Poll: 7}),
	))), bot.Command("vote"))
	r.Callback(func(ctx context.Context, t *bot.Turn) error {
		v, _ := bot.Get[vote2](t)
		return t.Edit(ctx, fmt.Sprintf("You said %v.", v.Up))
	}, votes.Filter(), bot.With(bot.Notice{Text: "Counted"}))

	order := r.Flow("cart")
	order.OnEnter(bot.Say("How many?"), cartQuantity)
	order.Allow(bot.None, cartQuantity).Allow(cartQuantity, cartAddress)
	order.Version(2, func(from int, state bot.State, data json.RawMessage) (bot.State, json.RawMessage, error) {
		return cartQuantity, nil, nil // ask again
	})
	r.OnTimeout(func(ctx context.Context, t *bot.Turn) error {
		if err := t.Clear(ctx); err != nil {
			return err
		}
		return t.Answer(ctx, "Your order has expired.")
	}, 10*time.Minute, cartQuantity, cartAddress)

	bot.OnErrorAs(r, func(ctx context.Context, t *bot.Turn, p *bot.PanicError) error {
		return t.Answer(ctx, "Sorry, something broke.")
	})
	r.OnUnhandled(func(ctx context.Context, t *bot.Turn) error {
		t.Logger().DebugContext(ctx, "nobody wants this", slog.String("type", t.Type().String()))
		return nil
	})

	perUser := throttle.New(throttle.Config{Limit: 20, Per: time.Minute})
	r.Before(perUser.Gate)

	r.Urgent(bot.Message, func(ctx context.Context, t *bot.Turn) error {
		t.CancelRunning()
		return t.Answer(ctx, "Stopped.")
	}, bot.Command("stop"))

	r.Outer(i18n.Translate(bundle, nil))
	r.Message(func(ctx context.Context, t *bot.Turn) error {
		return t.Answer(ctx, i18n.TN(t, "pizzas", 3))
	}, bot.Command("stock"))

	r.Message(func(ctx context.Context, t *bot.Turn) error {
		return t.SetState(ctx, cartQuantity)
	}, bot.Command("cart"))
	return r
}

func checkOut(ctx context.Context, t *bot.Turn) error {
	receipt, err := bot.Once(ctx, t, "charge", func(ctx context.Context) (string, error) {
		return charge(ctx, t.User())
	})
	if errors.Is(err, errTillDown) {
		return &bot.UnavailableError{RetryAfter: time.Minute, Err: err}
	}
	if err != nil {
		return err
	}
	return t.Answer(ctx, "Paid, receipt "+receipt+".")
}

var errTillDown = errors.New("till is down")

// charge is a service that does not serve user 0.
func charge(_ context.Context, user int64) (string, error) {
	if user == 0 {
		return "", errTillDown
	}
	return "4711", nil
}

func TestGuideTalksToOtherServices(t *testing.T) {
	t.Parallel()
	r := bot.New("shop")
	r.On(bot.Message|bot.Poll, checkOut)
	world := bottest.New(t, r)
	ann := world.Person("Ann")
	ann.Say("pay")
	ann.Expect("Paid, receipt 4711.")
	err := world.Fails(func() { world.Update(telego.Update{Poll: &telego.Poll{ID: "1"}}) })
	if away, ok := errors.AsType[*bot.UnavailableError](err); !ok || away.RetryAfter != time.Minute {
		t.Errorf("turn ends with %v", err)
	}
}

func TestGuideDoesWhatItSays(t *testing.T) {
	t.Parallel()
	bundle := goi18n.NewBundle(language.English)
	bundle.MustAddMessages(language.English, &goi18n.Message{ID: "pizzas", One: "{{.PluralCount}} pizza", Other: "{{.PluralCount}} pizzas"})
	world := bottest.NewWith(t, guided(bundle), bottest.Config{Start: time.Date(2026, 1, 1, 10, 0, 0, 0, time.UTC)})
	ann := world.Person("Ann")
	for _, text := range []string{"/hello", "/me", "/vote"} {
		ann.Say(text)
	}
	ann.Press("Yes")
	ann.ExpectNotice("Counted")
	for _, text := range []string{"/stock", "/stop", "/restart", "/cart"} {
		ann.Say(text)
	}
	world.Advance(10 * time.Minute)
	ann.Expect("Hello!", "You are Ann", "Pizza today?", "You said true.", "3 pizzas", "Stopped.", "How many?",
		"Your order has expired.")
	ann.ExpectSilence()
}

func announce(ctx context.Context, t *bot.Turn, batch []int64, news string) error {
	for _, chat := range batch {
		_, err := t.API().SendMessage(bot.Bulk(ctx), tu.Message(tu.ID(chat), news))
		if err != nil && !bot.IsBlocked(err) {
			return err
		}
	}
	return nil
}

// A batch goes on past people who have blocked the bot.
func TestGuidesAnnouncementReachesTheOthers(t *testing.T) {
	t.Parallel()
	r := bot.New("announce")
	r.Message(func(ctx context.Context, t *bot.Turn) error { return announce(ctx, t, []int64{t.Chat()}, "News") }, bot.Command("announce"))
	ann := bottest.New(t, r).Person("Ann")
	ann.Say("/announce")
	ann.Expect("News")
}

// TestGuideShowsCodeThatCompiles wants every Go block of the guide to stand in this
// file, but those that are marked as being elsewhere.
func TestGuideShowsCodeThatCompiles(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../docs/writing-a-bot.md")
	if err != nil {
		t.Fatal(err)
	}
	here, err := os.ReadFile("guide_test.go")
	if err != nil {
		t.Fatal(err)
	}
	code := unindented(string(here))
	blocks := strings.Split(string(guide), "```go\n")[1:]
	if len(blocks) < 10 {
		t.Errorf("the guide has %d blocks of code, want 10 or more", len(blocks))
	}
	for _, b := range blocks {
		block, _, _ := strings.Cut(b, "```")
		for part := range strings.SplitSeq(block, "\n\n") {
			if want := unindented(part); !strings.Contains(code, want) {
				t.Errorf("the guide's code is not in guide_test.go:\n%s", part)
			}
		}
	}
}

func unindented(code string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(strings.TrimSpace(code), "\n") {
		b.WriteString(strings.TrimSpace(line) + "\n")
	}
	return b.String()
}

func guideOfTheLastAttempt(r *bot.Router) {
	r.OnError(func(ctx context.Context, t *bot.Turn, err error) error {
		if !t.LastAttempt() {
			return err
		}
		return errors.Join(err, t.Answer(ctx, "Sorry, I could not do that.")) // and it becomes a dead letter
	})
}

func TestGuideApologisesAtTheLastAttempt(t *testing.T) {
	t.Parallel()
	r := bot.New("r")
	guideOfTheLastAttempt(r)
	r.Message(func(context.Context, *bot.Turn) error { return errors.New("no") })
	w := bottest.New(t, r)
	for last, want := range map[bool]int{false: 0, true: 1} {
		before := len(w.Calls("sendMessage"))
		p := partsFor("hi", &memory{})
		p.API, p.Last = w.API(), last
		if err := compiled(t, r).Answer(t.Context(), bot.NewTurn(p)); err == nil {
			t.Error("the turn does not fail")
		}
		if n := len(w.Calls("sendMessage")) - before; n != want {
			t.Errorf("last attempt %v: %d apologies, want %d", last, n, want)
		}
	}
}
