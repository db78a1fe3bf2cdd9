package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/bottest"
)

// book is a kitchen that keeps its orders.
type book struct {
	orders []order
	down   bool
}

func (b *book) take(_ context.Context, o order) (string, error) {
	if b.down {
		return "", &bot.UnavailableError{Err: errors.New("kitchen is closed")}
	}
	b.orders = append(b.orders, o)
	return "A7", nil
}

// atConfirm brings a person to the last question.
func atConfirm(ann *bottest.Person) {
	ann.Say("/order")
	ann.Expect("Which one?")
	ann.ExpectButtons("Margherita", "Funghi")
	ann.Press("Funghi")
	ann.Expect("Funghi. Where to?")
	ann.Say("Main Street 1")
	ann.Expect("Funghi to Main Street 1?")
}

func TestAnOrderReachesTheKitchen(t *testing.T) {
	t.Parallel()
	var b book
	ann := bottest.New(t, pizzeria(b.take)).Person("Ann")
	atConfirm(ann)
	ann.Press("Yes")
	ann.Expect("Order A7: Funghi is on its way to Main Street 1.")
	ann.ExpectState(bot.None)
	if len(b.orders) != 1 || b.orders[0] != (order{"Funghi", "Main Street 1"}) {
		t.Errorf("kitchen has %+v", b.orders)
	}
}

func TestAnOrderCanBeTakenBack(t *testing.T) {
	t.Parallel()
	var b book
	world := bottest.New(t, pizzeria(b.take))
	ann, ben := world.Person("Ann"), world.Person("Ben")
	atConfirm(ann)
	atConfirm(ben)
	ann.Press("No")
	ben.Say("/cancel")
	for _, p := range []*bottest.Person{ann, ben} {
		p.Expect("Forgotten. /order begins anew.")
		p.ExpectState(bot.None)
	}
	if len(b.orders) != 0 {
		t.Errorf("kitchen has %+v", b.orders)
	}
}

func TestTheBotHelpsOn(t *testing.T) {
	t.Parallel()
	ann := bottest.New(t, pizzeria(new(book).take)).Person("Ann")
	ann.Say("hello")
	ann.Expect("/order brings you a pizza.")
	ann.Say("/order")
	ann.Expect("Which one?")
	ann.Say("a big one")
	ann.Expect("Please use the buttons, or /cancel.")
	ann.ExpectState(orderKind)
}

func TestAnOldOrderExpires(t *testing.T) {
	t.Parallel()
	world := bottest.New(t, pizzeria(new(book).take))
	ann := world.Person("Ann")
	atConfirm(ann)
	world.Advance(16 * time.Minute)
	ann.Expect("Your order has expired. /order begins anew.")
	ann.Press("Yes")
	ann.Expect("That was an earlier order. /order begins a new one.")
}

func TestAClosedKitchenKeepsTheOrder(t *testing.T) {
	t.Parallel()
	b := book{down: true}
	world := bottest.New(t, pizzeria(b.take))
	ann := world.Person("Ann")
	atConfirm(ann)
	err := world.Fails(func() { ann.Press("Yes") })
	if _, away := errors.AsType[*bot.UnavailableError](err); !away {
		t.Errorf("turn ends with %v", err)
	}
	ann.ExpectState(orderConfirm)
	b.down = false
	ann.Press("Yes")
	ann.Expect("Order A7: Funghi is on its way to Main Street 1.")
}
