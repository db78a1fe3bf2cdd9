package bot_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/bottest"
)

const (
	quantity bot.State = "order:quantity"
	address  bot.State = "order:address"
	confirm  bot.State = "order:confirm"
	rating   bot.State = "feedback:rating"
)

// goes is a handler for texts like "order:address": it goes to that state; "back",
// "finish" and "fail" do what they say.
func goes(ctx context.Context, t *bot.Turn) error {
	switch to := t.Text(); to {
	case "back":
		return t.Back(ctx)
	case "finish":
		return t.Clear(ctx)
	case "none":
		return t.SetState(ctx, bot.None)
	default:
		return t.SetState(ctx, bot.State(to))
	}
}

func TestStatesNameTheirFlow(t *testing.T) {
	t.Parallel()
	for state, want := range map[bot.State]string{quantity: "order", "outer.inner:a": "outer.inner", "lonely": "", bot.None: ""} {
		if got := state.Flow(); got != want {
			t.Errorf("flow of %q is %q, want %q", state, got, want)
		}
	}
}

func TestStateFilters(t *testing.T) {
	t.Parallel()
	note := func(tr *trace, name string) bot.Handler { return tr.handler(name, bot.ErrSkip) }
	for state, want := range map[bot.State]string{
		bot.None: "none", quantity: "any one order", confirm: "any two order", rating: "any",
		"order.gift:wrap": "any order", "ordering:x": "any",
	} {
		var tr trace
		r := bot.New("r")
		r.Message(note(&tr, "none"), bot.InNoState())
		r.Message(note(&tr, "any"), bot.InAnyState())
		r.Message(note(&tr, "one"), bot.InState(quantity))
		r.Message(note(&tr, "two"), bot.InState(address, confirm))
		r.Message(note(&tr, "order"), bot.InFlow("order"))
		r.Message(goes, bot.Text(string(state)))
		ann := bottest.New(t, r).Person("Ann")
		if state != bot.None {
			ann.Say(string(state))
			tr = nil
		}
		ann.Say("look")
		if got := strings.Join(tr, " "); got != want {
			t.Errorf("at %q filters pass: %s, want %s", state, got, want)
		}
	}
}

func TestDataLivesAsLongAsItsFlow(t *testing.T) {
	t.Parallel()
	type cart struct{ Items int }
	r := bot.New("r")
	r.Message(func(_ context.Context, t *bot.Turn) error {
		_, err := bot.UpdateData(t, func(c *cart) { c.Items++ })
		return err
	}, bot.Text("more"))
	r.Message(func(_ context.Context, t *bot.Turn) error { return bot.SetData(t, cart{Items: 100}) }, bot.Text("all"))
	r.Message(func(_ context.Context, t *bot.Turn) error { return bot.SetData(t, func() {}) }, bot.Text("broken"))
	r.Message(func(_ context.Context, t *bot.Turn) error { _, err := bot.Data[string](t); return err }, bot.Text("wrong"))
	r.Message(func(ctx context.Context, t *bot.Turn) error { return bot.SetStateWith(ctx, t, rating, cart{Items: 5}) }, bot.Text("rate"))
	r.Message(goes)
	w := bottest.New(t, r)
	ann := w.Person("Ann")
	for _, c := range []struct {
		say  string
		want int
	}{
		{"more", 1},
		{string(quantity), 0}, // a flow begins without data
		{"more", 1},
		{"more", 2},
		{string(address), 2}, // it goes along within the flow
		{"back", 2},
		{"all", 100},
		{"rate", 5}, // another flow, begun with its own
		{"none", 0},
	} {
		ann.Say(c.say)
		if got := bottest.Data[cart](ann); got.Items != c.want {
			t.Errorf("after %q the cart has %d items, want %d", c.say, got.Items, c.want)
		}
	}
	if err := bot.SetStateWith(t.Context(), message("hi"), bot.None, 1); !errors.Is(err, bot.ErrTransition) {
		t.Errorf("data for no state: %v", err)
	}
	ann.Say("more")
	for _, text := range []string{"broken", "wrong"} {
		if err := w.Fails(func() { ann.Say(text) }); !strings.Contains(err.Error(), "data of state") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestHooksRunAsStatesAreLeftAndEntered(t *testing.T) {
	t.Parallel()
	var tr trace
	note := func(what string) bot.Handler {
		return func(_ context.Context, t *bot.Turn) error {
			tr.add(what + " at " + string(t.State()))
			return nil
		}
	}
	r := bot.New("r")
	order := r.Flow("order")
	order.OnEnter(note("enter any"))
	order.OnEnter(note("enter"), quantity)
	order.OnLeave(note("leave any"))
	order.OnLeave(note("leave"), quantity, confirm)
	r.Message(goes)
	ann := bottest.New(t, r).Person("Ann")
	for _, c := range []struct{ say, want string }{
		{"order:quantity", "enter any at order:quantity, enter at order:quantity"},
		{"order:quantity", "enter any at order:quantity, enter at order:quantity"}, // again: not left
		{"order:address", "leave any at order:quantity, leave at order:quantity, enter any at order:address"},
		{"feedback:rating", "leave any at order:address"},
		{"order:confirm", "enter any at order:confirm"},
		{"finish", "leave any at order:confirm, leave at order:confirm"},
		{"finish", ""},
	} {
		tr = nil
		ann.Say(c.say)
		if got := strings.Join(tr, ", "); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.say, got, c.want)
		}
	}
}

func TestHooksMayMoveOnButNotForEver(t *testing.T) {
	t.Parallel()
	r := bot.New("r")
	r.Flow("order").OnEnter(func(ctx context.Context, t *bot.Turn) error { return t.SetState(ctx, confirm) }, address)
	r.Flow("order").OnEnter(func(context.Context, *bot.Turn) error { return errors.New("not at this state any more") }, address)
	circle := r.Flow("circle")
	circle.OnEnter(func(ctx context.Context, t *bot.Turn) error { return t.SetState(ctx, "circle:b") }, "circle:a")
	circle.OnEnter(func(ctx context.Context, t *bot.Turn) error { return t.SetState(ctx, "circle:a") }, "circle:b")
	r.Flow("trap").OnLeave(func(ctx context.Context, t *bot.Turn) error { return t.SetState(ctx, quantity) })
	r.Flow("broken").OnLeave(func(context.Context, *bot.Turn) error { return errors.New("stay") })
	r.Message(goes)
	w := bottest.New(t, r)
	ann := w.Person("Ann")
	ann.Say(string(address))
	ann.ExpectState(confirm)
	if err := w.Fails(func() { ann.Say("circle:a") }); !errors.Is(err, bot.ErrTransition) {
		t.Errorf("a circle of hooks: %v", err)
	}
	ann.Say("trap:x")
	if err := w.Fails(func() { ann.Say("finish") }); !errors.Is(err, bot.ErrTransition) {
		t.Errorf("a leave hook that moves: %v", err)
	}
	bob := w.Person("Bob")
	bob.Say("broken:x")
	_ = w.Fails(func() { bob.Say("finish") })
	bob.ExpectState("broken:x")
}

func TestTableOfTransitionsIsChecked(t *testing.T) {
	t.Parallel()
	r := bot.New("r")
	r.Flow("order").Allow(bot.None, quantity).Allow(quantity, address).Allow(address, confirm, quantity)
	r.Message(goes)
	w := bottest.New(t, r)
	for _, c := range []struct {
		path    []string
		allowed bool
	}{
		{[]string{"order:quantity", "order:address", "order:confirm"}, true},
		{[]string{"order:quantity", "order:quantity"}, true},
		{[]string{"order:quantity", "order:address", "back", "order:address", "order:quantity"}, true},
		{[]string{"order:quantity", "feedback:rating"}, true},
		{[]string{"order:quantity", "finish"}, true},
		{[]string{"order:quantity", "order:confirm"}, false},
		{[]string{"order:address"}, false},
		{[]string{"feedback:rating", "order:confirm"}, false},
		{[]string{"order:quantity", "order:address", "order:confirm", "order:address"}, false},
	} {
		p := w.Person("Somebody")
		for _, state := range c.path[:len(c.path)-1] {
			p.Say(state)
		}
		last := func() { p.Say(c.path[len(c.path)-1]) }
		if c.allowed {
			last()
			continue
		}
		before := p.State()
		if err := w.Fails(last); !errors.Is(err, bot.ErrTransition) {
			t.Errorf("%v: got %v, want ErrTransition", c.path, err)
		}
		p.ExpectState(before)
	}
}

func TestRoutesGoOnlyWhereTheyDeclare(t *testing.T) {
	t.Parallel()
	r := bot.New("r")
	r.Message(goes, bot.InNoState()).To(quantity)
	r.Message(goes).To(bot.None, address)
	w := bottest.New(t, r)
	ann := w.Person("Ann")
	if err := w.Fails(func() { ann.Say(string(confirm)) }); !errors.Is(err, bot.ErrTransition) {
		t.Errorf("got %v, want ErrTransition", err)
	}
	ann.Say(string(quantity))
	ann.Say(string(address))
	ann.Say("back")
	ann.ExpectState(quantity)
	ann.Say("finish")
	ann.ExpectState(bot.None)
}

func TestHistoryGoesBack(t *testing.T) {
	t.Parallel()
	var history []bot.State
	r := bot.New("r")
	r.Message(func(_ context.Context, t *bot.Turn) error { history = t.History(); return nil }, bot.Text("history"))
	r.Message(goes)
	w := bottest.New(t, r)
	ann := w.Person("Ann")
	for _, text := range []string{"order:quantity", "order:address", "order:address", "order:confirm", "history"} {
		ann.Say(text)
	}
	if diff := cmp.Diff([]bot.State{quantity, address}, history); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	ann.Say("back")
	ann.ExpectState(address)
	ann.Say("back")
	ann.ExpectState(quantity)
	if err := w.Fails(func() { ann.Say("back") }); !errors.Is(err, bot.ErrTransition) {
		t.Errorf("back from the first state: %v", err)
	}
	for i := range 100 {
		ann.Say(fmt.Sprintf("order:%d", i))
	}
	ann.Say("history")
	if len(history) != 32 || history[31] != "order:98" {
		t.Errorf("history keeps %d states up to %q, want 32 up to order:98", len(history), history[len(history)-1])
	}
}

func TestFlowsRefuseWhatIsNotTheirs(t *testing.T) {
	t.Parallel()
	r := bot.New("r")
	order := r.Flow("order")
	if r.Flow("order") != order {
		t.Error("a flow declared twice is two flows")
	}
	mustPanic(t, `state "feedback:rating", which is of flow "feedback"`, func() { order.OnEnter(nothing, rating) })
	mustPanic(t, "OnLeave of state", func() { order.OnLeave(nothing, rating) })
	mustPanic(t, "Allow of state", func() { order.Allow(rating, quantity) })
	mustPanic(t, "Version wants", func() { order.Version(0, nil) })
	mustPanic(t, "a flow wants a name", func() { r.Flow("") })
	other := bot.New("other")
	other.Flow("order")
	r.Include(other)
	wantMistakes(t, r, `flow "order" is declared by two routers`)
}
