package bot_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

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

func ExampleRouter_Include() {
	staff := bot.New("staff")
	staff.Guard(bot.InGroup())
	staff.Message(bot.Say("Restarted."), bot.Command("restart"))
	guests := bot.New("guests")
	guests.Message(bot.Say("Sorry, only staff may do that."), bot.Command("restart"))
	root := bot.New("root")
	root.Include(staff, guests) // tried in this order

	world := bottest.New(console{}, root)
	ann := world.Person("Ann")
	ann.Say("/restart")
	fmt.Println(ann.Unread())
	kitchen := ann.In(world.Group("Kitchen"))
	kitchen.Say("/restart")
	fmt.Println(kitchen.Unread())
	// Output:
	// [Sorry, only staff may do that.]
	// [Restarted.]
}

func ExampleRouter_OnTimeout() {
	const waiting bot.State = "order:waiting"
	r := bot.New("pizza")
	r.Message(func(ctx context.Context, t *bot.Turn) error {
		return t.SetState(ctx, waiting)
	}, bot.Command("order")).To(waiting)
	r.OnTimeout(func(ctx context.Context, t *bot.Turn) error {
		if err := t.Clear(ctx); err != nil {
			return err
		}
		return t.Answer(ctx, "Your order has expired.")
	}, 10*time.Minute, waiting).To(bot.None)

	world := bottest.New(console{}, r)
	ann := world.Person("Ann")
	ann.Say("/order")
	world.Advance(10 * time.Minute)
	fmt.Println(ann.Unread())
	// Output: [Your order has expired.]
}

func ExampleRouter_Outer() {
	type customer struct{ Name string }
	r := bot.New("shop")
	r.Outer(func(next bot.Handler) bot.Handler {
		return func(ctx context.Context, t *bot.Turn) error {
			bot.Put(t, customer{Name: t.From().FirstName}) // from a database
			return next(ctx, t)
		}
	}, bot.Message)
	r.Message(func(ctx context.Context, t *bot.Turn) error {
		c, _ := bot.Get[customer](t)
		return t.Answer(ctx, "You are "+c.Name+".")
	}, bot.Command("me"))

	ann := bottest.New(console{}, r).Person("Ann")
	ann.Say("/me")
	fmt.Println(ann.Unread())
	// Output: [You are Ann.]
}

func ExampleRouter_Compile() {
	root, child := bot.New("root"), bot.New("child")
	root.Include(child)
	root.Flow("order")
	child.Flow("order")
	_, err := root.Compile()
	fmt.Println(err)
	// Output: flow "order" is declared by two routers, one is "child"
}

func ExampleFlow_Allow() {
	const size, address bot.State = "order:size", "order:address"
	r := bot.New("pizza")
	r.Flow("order").Allow(bot.None, size).Allow(size, address)
	r.Message(func(ctx context.Context, t *bot.Turn) error {
		err := t.SetState(ctx, address) // which is not where orders begin
		if errors.Is(err, bot.ErrTransition) {
			return t.Answer(ctx, "First choose a size.")
		}
		return err
	})
	ann := bottest.New(console{}, r).Person("Ann")
	ann.Say("Main Street 1")
	fmt.Println(ann.Unread())
	// Output: [First choose a size.]
}

func ExampleUpdateData() {
	const counting bot.State = "tally:counting"
	r := bot.New("tally")
	r.Message(func(ctx context.Context, t *bot.Turn) error { return t.SetState(ctx, counting) }, bot.Command("tally"))
	r.Message(func(ctx context.Context, t *bot.Turn) error {
		n, err := bot.UpdateData(t, func(n *int) { *n++ })
		if err != nil {
			return err
		}
		return t.Answer(ctx, fmt.Sprintf("%d. %s", n, t.Text()))
	}, bot.InState(counting))
	ann := bottest.New(console{}, r).Person("Ann")
	for _, text := range []string{"/tally", "apples", "pears"} {
		ann.Say(text)
	}
	fmt.Println(ann.Unread())
	// Output: [1. apples 2. pears]
}

func ExampleOnce() {
	charge := func(context.Context) (string, error) { return "4711", nil }
	r := bot.New("shop")
	r.Message(func(ctx context.Context, t *bot.Turn) error {
		receipt, err := bot.Once(ctx, t, "charge", charge) // not again if the answer fails
		if err != nil {
			return err
		}
		return t.Answer(ctx, "Paid, receipt "+receipt+".")
	}, bot.Command("pay"))
	ann := bottest.New(console{}, r).Person("Ann")
	ann.Say("/pay")
	fmt.Println(ann.Unread())
	// Output: [Paid, receipt 4711.]
}
