package bot_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/bottest"
)

func TestPanicInAGateIsAnError(t *testing.T) {
	t.Parallel()
	r := bot.New("r")
	r.Before(func(context.Context, bot.Envelope) error { panic("nil map") })
	var panicked *bot.PanicError
	if err := compiled(t, r).Admit(t.Context(), bot.Envelope{Type: "message"}); !errors.As(err, &panicked) || len(panicked.Stack) == 0 {
		t.Errorf("got %v, want a panic with its stack", err)
	}
}

func TestWiringWantsFunctions(t *testing.T) {
	t.Parallel()
	for name, wire := range map[string]func(r *bot.Router){
		"Before":      func(r *bot.Router) { r.Before(nil) },
		"Outer":       func(r *bot.Router) { r.Outer(nil) },
		"Inner":       func(r *bot.Router) { r.Inner(nil) },
		"Calls":       func(r *bot.Router) { r.Calls(nil) },
		"OnError":     func(r *bot.Router) { r.OnError(nil) },
		"OnUnhandled": func(r *bot.Router) { r.OnUnhandled(nil) },
		"Urgent":      func(r *bot.Router) { r.Urgent(bot.Message, nil) },
	} {
		mustPanic(t, name+" wants a function", func() { wire(bot.New("r")) })
	}
	root, child := bot.New("root"), bot.New("child")
	child.OnUnhandled(bot.Say("what?"))
	root.Include(child)
	wantMistakes(t, root, "only the root's is called")
}

// Gates and call middleware of a router that is switched off are off with it, and so
// are those below it.
func TestSwitchedOffRouterRefusesAndWrapsNothing(t *testing.T) {
	t.Parallel()
	root, off, below := bot.New("root"), bot.New("off"), bot.New("below")
	root.Include(off)
	off.Include(below)
	below.Before(func(context.Context, bot.Envelope) error { return bot.ErrDropped })
	below.Calls(func(bot.CallFunc) bot.CallFunc {
		return func(context.Context, string, json.RawMessage) (json.RawMessage, error) { return nil, errors.New("off") }
	})
	below.Urgent(bot.Message, nothing)
	if err := compiled(t, root).Admit(t.Context(), bot.Envelope{Type: "message"}); !errors.Is(err, bot.ErrDropped) {
		t.Errorf("switched on: %v", err)
	}
	off.SetEnabled(false)
	if err := compiled(t, root).Admit(t.Context(), bot.Envelope{Type: "message"}); err != nil {
		t.Errorf("switched off: %v", err)
	}
	sent := func(context.Context, string, json.RawMessage) (json.RawMessage, error) { return nil, nil }
	if _, err := compiled(t, root).WrapCalls(sent)(t.Context(), "getMe", nil); err != nil {
		t.Errorf("call middleware of what is switched off: %v", err)
	}
	if compiled(t, root).IsUrgent(t.Context(), message("hi")) {
		t.Error("an urgent handler of what is switched off takes an update")
	}
}

func TestUrgentHandlersStandBehindTheirGuards(t *testing.T) {
	t.Parallel()
	root, staff, desk := bot.New("root"), bot.New("staff"), bot.New("desk")
	root.Include(staff)
	staff.Include(desk)
	staff.Guard(bot.InPrivate())
	desk.Guard(bot.Text("/stop"))
	desk.Urgent(bot.Message, nothing)
	private := message("/stop")
	if !compiled(t, root).IsUrgent(t.Context(), private) {
		t.Error("what all guards let pass is not urgent")
	}
	if compiled(t, root).IsUrgent(t.Context(), message("hi")) {
		t.Error("its own router's guard does not hold")
	}
	w := bottest.New(t, root)
	ann := w.Person("Ann")
	ann.In(w.Group("staff")).Say("/stop")
	if w.Unhandled() != 1 {
		t.Errorf("%d updates unhandled, want 1: a guard above does not hold", w.Unhandled())
	}
}

// Guards are about who sends what. A timeout is sent by nobody, and its conversation
// would stand still without it; so with gates.
func TestTimeoutsPassGuardsAndGates(t *testing.T) {
	t.Parallel()
	r := bot.New("r")
	first := true
	r.Before(func(context.Context, bot.Envelope) error {
		if !first {
			return bot.ErrDropped
		}
		first = false
		return nil
	})
	r.Guard(bot.InPrivate(), bot.Has(bot.ContentText))
	r.OnTimeout(bot.Say("Too late"), time.Minute, quantity)
	r.Message(goes)
	w := bottest.New(t, r)
	ann := w.Person("Ann")
	ann.Say(string(quantity))
	w.Advance(time.Minute)
	ann.Expect("Too late")
	if err := compiled(t, r).Admit(t.Context(), bot.Envelope{Type: "timeout", User: ann.ID(), Received: w.Now()}); err != nil {
		t.Errorf("a gate is asked about a timeout: %v", err)
	}
}

func TestUnhandledHookMaySkip(t *testing.T) {
	t.Parallel()
	r := bot.New("r")
	r.OnUnhandled(func(context.Context, *bot.Turn) error { return bot.ErrSkip })
	if err := compiled(t, r).Answer(t.Context(), message("hi")); !errors.Is(err, bot.ErrUnhandled) {
		t.Errorf("got %v, want ErrUnhandled", err)
	}
}

// A migration may give a state another name; the time that runs for it goes on.
func TestTimeoutOfARenamedStateFires(t *testing.T) {
	t.Parallel()
	kept := &memory{}
	old := bot.New("old")
	old.OnTimeout(nothing, time.Minute, "order:amount")
	old.Message(func(ctx context.Context, t *bot.Turn) error { return t.SetState(ctx, "order:amount") })
	begun := bot.NewTurn(partsFor("hi", kept))
	if err := compiled(t, old).Answer(t.Context(), begun); err != nil {
		t.Fatal(err)
	}
	timer := compiled(t, old).Timer(begun)
	if timer.After == 0 {
		t.Fatal("no timer")
	}
	current := bot.New("current")
	current.Flow("order").Version(2, func(int, bot.State, json.RawMessage) (bot.State, json.RawMessage, error) {
		return quantity, nil, nil
	})
	fired := false
	current.OnTimeout(func(context.Context, *bot.Turn) error { fired = true; return nil }, time.Minute, quantity)
	event := bot.TimeoutEvent{State: "order:amount", Token: timer.Token}
	err := compiled(t, current).Answer(t.Context(), bot.NewTurn(bot.Parts{Type: "timeout", Raw: event.Encode(), Chat: 1, User: 1, Session: kept}))
	if err != nil || !fired {
		t.Errorf("fired: %v, %v", fired, err)
	}
}

// Data of a newer version, as after a roll-back, is an error that the root's error
// handlers see: they can end the conversation instead of losing update after update.
func TestErrorHandlersSeeAnUnreadableVersion(t *testing.T) {
	t.Parallel()
	kept := &memory{}
	current, older := bot.New("current"), bot.New("older")
	current.Flow("order").Version(2, func(_ int, s bot.State, d json.RawMessage) (bot.State, json.RawMessage, error) { return s, d, nil })
	current.Message(goes)
	if err := compiled(t, current).Answer(t.Context(), bot.NewTurn(partsFor(string(quantity), kept))); err != nil {
		t.Fatal(err)
	}
	older.Flow("order")
	older.OnErrorIs(bot.ErrVersion, func(ctx context.Context, t *bot.Turn, _ error) error { return t.Clear(ctx) })
	if err := compiled(t, older).Answer(t.Context(), bot.NewTurn(partsFor("hi", kept))); err != nil || kept.state != "" {
		t.Errorf("%v, still at %q", err, kept.state)
	}
}
