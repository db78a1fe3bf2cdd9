package bot_test

import (
	"context"
	"fmt"
	"os"
	"strconv"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/bottest"
)

// console has a world report to the output of an example.
type console struct{}

func (console) Helper()                           {}
func (console) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }
func (console) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (console) Logf(format string, args ...any)   { fmt.Printf(format+"\n", args...) }
func (console) Context() context.Context          { return context.Background() }

// A bot that sells pizza: one command, two states, and what it says to nonsense.
func Example() {
	const (
		quantity bot.State = "order:quantity"
		address  bot.State = "order:address"
	)
	type order struct{ Pizzas int }

	r := bot.New("pizza")
	r.Message(func(ctx context.Context, t *bot.Turn) error {
		if err := t.SetState(ctx, quantity); err != nil {
			return err
		}
		return t.Answer(ctx, "How many?")
	}, bot.Command("order")).To(quantity)
	r.Message(func(ctx context.Context, t *bot.Turn) error {
		n, err := strconv.Atoi(t.Text())
		if err != nil {
			return t.Answer(ctx, "A number, please.")
		}
		if err := bot.SetStateWith(ctx, t, address, order{Pizzas: n}); err != nil {
			return err
		}
		return t.Answer(ctx, "Where to?")
	}, bot.InState(quantity), bot.Plain()).To(address)
	r.Message(func(ctx context.Context, t *bot.Turn) error {
		o, err := bot.Data[order](t)
		if err != nil {
			return err
		}
		if err := t.Clear(ctx); err != nil {
			return err
		}
		return t.Answer(ctx, fmt.Sprintf("%d pizzas go to %s.", o.Pizzas, t.Text()))
	}, bot.InState(address), bot.Plain()).To(bot.None)

	ann := bottest.New(console{}, r).Person("Ann")
	for _, text := range []string{"/order", "two", "2", "Main Street 1"} {
		ann.Say(text)
	}
	for _, text := range ann.Unread() {
		fmt.Println(text)
	}
	// Output:
	// How many?
	// A number, please.
	// Where to?
	// 2 pizzas go to Main Street 1.
}

func ExampleRouter_Graph() {
	const quantity bot.State = "order:quantity"
	order := func(ctx context.Context, t *bot.Turn) error { return t.SetState(ctx, quantity) }
	take := func(ctx context.Context, t *bot.Turn) error { return t.Clear(ctx) }
	r := bot.New("pizza")
	r.Message(order, bot.Command("order")).To(quantity)
	r.Message(take, bot.InState(quantity), bot.Regexp(`^\d+$`).Named("a number")).To(bot.None)
	_ = r.Graph().WriteMermaid(os.Stdout)
	// Output:
	// ---
	// title: "pizza"
	// ---
	// stateDiagram-v2
	//     state "order" as flow_order
	//     state flow_order {
	//         state "order:quantity" as order_quantity
	//     }
	//     [*] --> order_quantity: /order
	//     order_quantity --> [*]: a number
}

func ExampleNewCallbackData() {
	type vote struct {
		Poll int64
		Up   bool
	}
	votes := bot.NewCallbackData[vote]("vote")
	r := bot.New("polls")
	r.Message(bot.Say("Pizza today?", bot.Inline(bot.Row(
		votes.Button("Yes", vote{Poll: 7, Up: true}),
		votes.Button("No", vote{Poll: 7}),
	))))
	r.Callback(func(ctx context.Context, t *bot.Turn) error {
		v, _ := bot.Get[vote](t)
		return t.Answer(ctx, fmt.Sprintf("poll %d: %v", v.Poll, v.Up))
	}, votes.Filter())

	ann := bottest.New(console{}, r).Person("Ann")
	ann.Say("?")
	ann.Press("Yes")
	fmt.Println(ann.Unread())
	// Output: [Pizza today? poll 7: true]
}

func ExampleRouter_Scene() {
	r := bot.New("hotel")
	type booking struct{ City string }
	begin := r.Scene(bot.Scene{
		Flow: "booking",
		Questions: []bot.Question{{
			State: "booking:city",
			Ask:   bot.Say("Which city?"),
			Take: func(_ context.Context, t *bot.Turn) error {
				if len(t.Text()) < 3 {
					return bot.Retry("The whole name, please.")
				}
				return bot.SetData(t, booking{City: t.Text()})
			},
		}},
		Done: func(ctx context.Context, t *bot.Turn) error {
			b, err := bot.Data[booking](t)
			if err != nil {
				return err
			}
			return t.Answer(ctx, "Booked in "+b.City)
		},
	})
	r.Message(begin, bot.Command("book"))

	ann := bottest.New(console{}, r).Person("Ann")
	for _, text := range []string{"/book", "LA", "Los Angeles"} {
		ann.Say(text)
	}
	fmt.Println(ann.Unread())
	// Output: [Which city? The whole name, please. Booked in Los Angeles]
}

func ExampleStartLink() {
	payload, _ := bot.EncodePayload("order 17")
	link, _ := bot.StartLink("pizza_bot", payload)
	fmt.Println(link)
	// Output: https://t.me/pizza_bot?start=b3JkZXIgMTc
}

func ExampleRouter_OnError() {
	r := bot.New("shop")
	r.Message(func(context.Context, *bot.Turn) error { panic("no more dough") })
	bot.OnErrorAs(r, func(ctx context.Context, t *bot.Turn, p *bot.PanicError) error {
		return t.Answer(ctx, "Sorry, something broke.")
	})
	ann := bottest.New(console{}, r).Person("Ann")
	ann.Say("pizza")
	fmt.Println(ann.Unread())
	// Output: [Sorry, something broke.]
}
