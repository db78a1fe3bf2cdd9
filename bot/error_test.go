package bot_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/bottest"
)

type outOfStock struct{ item string }

func (e *outOfStock) Error() string { return "out of " + e.item }

// patient marks an error that is nobody's fault.
type patient struct{ error }

func (patient) Blameless() bool { return true }

func TestErrorHandlersSeeTypedErrors(t *testing.T) {
	t.Parallel()
	errClosed := errors.New("closed")
	r := bot.New("shop")
	r.Message(func(_ context.Context, t *bot.Turn) error {
		switch t.Text() {
		case "pizza":
			return fmt.Errorf("order: %w", &outOfStock{"pizza"})
		case "panic":
			panic("oven is on fire")
		case "panic with error":
			panic(errClosed)
		}
		return fmt.Errorf("order: %w", errClosed)
	})
	bot.OnErrorAs(r, func(ctx context.Context, t *bot.Turn, e *outOfStock) error {
		return t.Answer(ctx, "No more "+e.item)
	})
	var sayClosed bot.ErrorHandler = func(ctx context.Context, t *bot.Turn, _ error) error { return t.Answer(ctx, "We are closed") }
	r.OnErrorIs(errClosed, sayClosed)
	bot.OnErrorAs(r, func(ctx context.Context, t *bot.Turn, e *bot.PanicError) error {
		if len(e.Stack) == 0 {
			return errors.New("panic without a stack")
		}
		return t.Answer(ctx, e.Error())
	})
	ann := bottest.New(t, r).Person("Ann")
	for _, text := range []string{"pizza", "pasta", "panic", "panic with error"} {
		ann.Say(text)
	}
	ann.Expect("No more pizza", "We are closed", "panic: oven is on fire", "We are closed")
}

func TestFailedTurnsLeaveNoChange(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	r, shop := bot.New("r"), bot.New("shop")
	r.Include(shop)
	shop.Message(func(ctx context.Context, t *bot.Turn) error {
		if err := bot.SetStateWith(ctx, t, "order:paid", "half done"); err != nil {
			return err
		}
		return boom
	})
	shop.OnError(func(ctx context.Context, t *bot.Turn, err error) error {
		if t.State() != bot.None {
			return fmt.Errorf("error handler finds the state %q", t.State())
		}
		if t.Text() == "note it" {
			return t.SetState(ctx, "order:failed")
		}
		return err
	})
	w := bottest.New(t, r)
	ann := w.Person("Ann")
	if err := w.Fails(func() { ann.Say("pay") }); !errors.Is(err, boom) {
		t.Errorf("got %v, want %v", err, boom)
	}
	ann.ExpectState(bot.None)
	ann.Say("note it")
	ann.ExpectState("order:failed")
}

func TestErrorHandlersDoNotSeeWhatIsNobodysFault(t *testing.T) {
	t.Parallel()
	r := bot.New("r")
	r.Message(func(context.Context, *bot.Turn) error { return fmt.Errorf("send: %w", patient{errors.New("429")}) })
	r.OnError(func(context.Context, *bot.Turn, error) error { return nil })
	if err := compiled(t, r).Answer(t.Context(), message("hi")); err == nil {
		t.Error("a rate limit was taken for an error of the bot's")
	}
}

func TestErrorHandlersAreAskedUntilOneSettlesIt(t *testing.T) {
	t.Parallel()
	first, second := errors.New("first"), errors.New("second")
	r := bot.New("r")
	var seen []error
	r.Message(func(context.Context, *bot.Turn) error { return first })
	r.OnError(func(_ context.Context, _ *bot.Turn, err error) error { seen = append(seen, err); return bot.ErrSkip })
	r.OnError(func(_ context.Context, _ *bot.Turn, err error) error { seen = append(seen, err); return second })
	r.OnError(func(_ context.Context, _ *bot.Turn, err error) error { seen = append(seen, err); panic("third") })
	err := compiled(t, r).Answer(t.Context(), message("hi"))
	var p *bot.PanicError
	if !errors.As(err, &p) || p.Value != "third" || p.Unwrap() != nil {
		t.Errorf("got %v, want the panic of the last error handler", err)
	}
	if !slices.Equal(seen, []error{first, first, second}) {
		t.Errorf("error handlers saw %v", seen)
	}
}

func TestNoErrorHandlerForACancelledTurn(t *testing.T) {
	t.Parallel()
	r := bot.New("r")
	r.Message(func(ctx context.Context, _ *bot.Turn) error { return ctx.Err() })
	r.OnError(func(context.Context, *bot.Turn, error) error { return nil })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := compiled(t, r).Answer(ctx, message("hi")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the turn to fail", err)
	}
}

func TestUnhandledUpdatesHaveAHook(t *testing.T) {
	t.Parallel()
	r := bot.New("r")
	r.Message(nothing, bot.Command("start"))
	r.OnUnhandled(bot.Say("I do not understand"))
	w := bottest.New(t, r)
	ann := w.Person("Ann")
	ann.Say("/start")
	ann.Say("what?")
	ann.Expect("I do not understand")
	if w.Unhandled() != 1 {
		t.Errorf("%d updates unhandled, want 1", w.Unhandled())
	}
}

func TestFiltersAndMiddlewareMayFailAndPanic(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	fail := bot.Func(func(context.Context, *bot.Turn) (bool, error) { return true, boom })
	for name, wire := range map[string]func(r *bot.Router){
		"filter": func(r *bot.Router) { r.Message(nothing, fail) },
		"guard":  func(r *bot.Router) { r.Guard(fail); r.Message(nothing) },
		"and":    func(r *bot.Router) { r.Message(nothing, bot.And(bot.Text(), fail)) },
		"or":     func(r *bot.Router) { r.Message(nothing, bot.Or(bot.Text("x"), fail)) },
		"not":    func(r *bot.Router) { r.Message(nothing, bot.Not(fail)) },
		"outer": func(r *bot.Router) {
			r.Outer(func(bot.Handler) bot.Handler { return func(context.Context, *bot.Turn) error { panic(boom) } })
		},
	} {
		r := bot.New(name)
		wire(r)
		if err := compiled(t, r).Answer(t.Context(), message("hi")); !errors.Is(err, boom) {
			t.Errorf("%s: got %v, want %v", name, err, boom)
		}
	}
}
