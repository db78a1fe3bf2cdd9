package bottest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/bottest"
)

// t is the *testing.T of a test; here, in examples, it prints.
var t printer

type printer struct{}

func (printer) Helper()                           {}
func (printer) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }
func (printer) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (printer) Logf(format string, args ...any)   { fmt.Printf(format+"\n", args...) }
func (printer) Context() context.Context          { return context.Background() }

// greeter is the bot under test.
func greeter() *bot.Router {
	r := bot.New("greeter")
	r.Message(func(ctx context.Context, t *bot.Turn) error {
		return t.Answer(ctx, "Hello, "+t.From().FirstName+"!")
	}, bot.Command("start"))
	return r
}

func Example() {
	world := bottest.New(t, greeter())
	ann := world.Person("Ann")
	ann.Say("/start")
	ann.Expect("Hello, Ann!")
	ann.Say("What?")
	ann.Expect("Pardon?") // a test fails here
	// Output: the bot is silent, want "Pardon?"
}

func ExampleWorld_Advance() {
	const asked bot.State = "survey:asked"
	r := bot.New("survey")
	r.Message(func(ctx context.Context, t *bot.Turn) error { return t.SetState(ctx, asked) })
	r.OnTimeout(bot.Say("Are you still there?"), time.Hour, asked)

	world := bottest.New(t, r)
	ann := world.Person("Ann")
	ann.Say("hi")
	world.Advance(59 * time.Minute)
	ann.ExpectSilence()
	world.Advance(time.Minute)
	ann.Expect("Are you still there?")
	ann.ExpectState(asked)
	fmt.Println(world.Now().Format(time.TimeOnly))
	// Output: 01:00:00
}

func ExampleWorld_Stub() {
	r := bot.New("shop")
	r.Message(func(ctx context.Context, t *bot.Turn) error {
		if err := t.Answer(ctx, "Here is your receipt."); bot.IsBlocked(err) {
			return nil // there is nobody to tell
		}
		return nil
	})
	world := bottest.New(t, r)
	world.Stub("sendMessage", func(json.RawMessage) (any, error) {
		return nil, bottest.Refuse(403, "Forbidden: bot was blocked by the user")
	})
	ann := world.Person("Ann")
	ann.Say("receipt")
	ann.ExpectSilence()
	fmt.Println(len(world.Calls("sendMessage")), "call")
	// Output: 1 call
}

func ExampleWorld_Fails() {
	r := bot.New("broken")
	r.Message(func(context.Context, *bot.Turn) error { panic("no more dough") })
	world := bottest.New(t, r)
	ann := world.Person("Ann")
	err := world.Fails(func() { ann.Say("pizza") })
	fmt.Println(err)
	// Output: panic: no more dough
}

func ExamplePerson_In() {
	world := bottest.New(t, greeter())
	team := world.Group("Team")
	ann, bob := world.Person("Ann").In(team), world.Person("Bob").In(team)
	ann.Say("/start")
	bob.Say("/start")
	ann.Expect("Hello, Ann!", "Hello, Bob!") // both are in the group
	ann.ExpectSilence()
	// Output:
}
