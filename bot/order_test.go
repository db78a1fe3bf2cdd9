package bot_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/mymmrac/telego"

	"github.com/chatlane/chatlane/bot"
)

// trace is what happened in a turn, in order.
type trace []string

func (tr *trace) add(what string) { *tr = append(*tr, what) }

// middleware notes when it begins and ends.
func (tr *trace) middleware(name string) bot.Middleware {
	return func(next bot.Handler) bot.Handler {
		return func(ctx context.Context, t *bot.Turn) error {
			tr.add(name)
			err := next(ctx, t)
			tr.add("/" + name)
			return err
		}
	}
}

// handler notes that it ran, and returns err.
func (tr *trace) handler(name string, err error) bot.Handler {
	return func(context.Context, *bot.Turn) error {
		tr.add(name)
		return err
	}
}

// filter notes that it was asked.
func (tr *trace) filter(name string, passes bool) bot.Filter {
	return bot.Func(func(context.Context, *bot.Turn) (bool, error) {
		tr.add(name + "?")
		return passes, nil
	})
}

func message(text string) *bot.Turn {
	return bot.NewTurn(bot.Parts{Type: "message", Chat: 1, User: 1, Update: &telego.Update{
		UpdateID: 7, Message: &telego.Message{MessageID: 1, Text: text, Chat: telego.Chat{ID: 1, Type: "private"}},
	}})
}

// TestOrderOfEvaluation is the table of decisions; the rows marked * differ from
// aiogram, and say how.
func TestOrderOfEvaluation(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	for _, c := range []struct {
		name string
		wire func(tr *trace, root, child *bot.Router)
		want string
		err  error
	}{
		{"outer, guard, filters, inner, handler", func(tr *trace, root, _ *bot.Router) {
			root.Outer(tr.middleware("outer"))
			root.Inner(tr.middleware("inner"))
			root.Guard(tr.filter("guard", true))
			root.Message(tr.handler("h", nil), tr.filter("a", true), tr.filter("b", true))
		}, "outer guard? a? b? inner h /inner /outer", nil},
		{"outer runs where nothing matches", func(tr *trace, root, _ *bot.Router) {
			root.Outer(tr.middleware("outer"))
			root.Inner(tr.middleware("inner"))
			root.Message(tr.handler("h", nil), tr.filter("a", false))
		}, "outer a? /outer", bot.ErrUnhandled},
		{"outer of a child runs, though it has no handlers", func(tr *trace, root, child *bot.Router) {
			child.Outer(tr.middleware("outer"))
			root.Message(tr.handler("h", nil), tr.filter("a", false))
		}, "a? outer /outer", bot.ErrUnhandled},
		{"first match wins", func(tr *trace, root, _ *bot.Router) {
			root.Message(tr.handler("1", nil), tr.filter("a", false))
			root.Message(tr.handler("2", nil))
			root.Message(tr.handler("3", nil))
		}, "a? 2", nil},
		{"filters stop at the first that fails", func(tr *trace, root, _ *bot.Router) {
			root.Message(tr.handler("1", nil), tr.filter("a", true), tr.filter("b", false), tr.filter("c", true))
			root.Message(tr.handler("2", nil))
		}, "a? b? 2", nil},
		{"skip goes on to the next handler, inner middleware anew", func(tr *trace, root, _ *bot.Router) {
			root.Inner(tr.middleware("inner"))
			root.Message(tr.handler("1", bot.ErrSkip))
			root.Message(tr.handler("2", nil))
		}, "inner 1 /inner inner 2 /inner", nil},
		{"skip of the last handler goes on to the children", func(tr *trace, root, child *bot.Router) {
			root.Message(tr.handler("1", bot.ErrSkip))
			child.Message(tr.handler("2", nil))
		}, "1 2", nil},
		{"unhandled leaves the router for its children", func(tr *trace, root, child *bot.Router) {
			root.Message(tr.handler("1", bot.ErrUnhandled))
			root.Message(tr.handler("2", nil))
			child.Message(tr.handler("3", nil))
		}, "1 3", nil},
		{"own handlers before children", func(tr *trace, root, child *bot.Router) {
			child.Message(tr.handler("child", nil))
			root.Message(tr.handler("root", nil))
		}, "root", nil},
		{"inner from root to leaf", func(tr *trace, root, child *bot.Router) {
			root.Inner(tr.middleware("root"))
			child.Inner(tr.middleware("child"))
			child.Message(tr.handler("h", nil))
		}, "root child h /child /root", nil},
		{"outer of the child inside the parent's", func(tr *trace, root, child *bot.Router) {
			root.Outer(tr.middleware("root"))
			child.Outer(tr.middleware("child"))
			child.Message(tr.handler("h", nil))
		}, "root child h /child /root", nil},
		{"a guard keeps out the whole subtree", func(tr *trace, root, child *bot.Router) {
			root.Outer(tr.middleware("outer"))
			root.Guard(tr.filter("guard", false))
			root.Message(tr.handler("1", nil))
			child.Message(tr.handler("2", nil))
		}, "outer guard? /outer", bot.ErrUnhandled},
		{"a guard is for its types", func(tr *trace, root, _ *bot.Router) {
			root.GuardOn(bot.CallbackQuery, tr.filter("guard", false))
			root.Message(tr.handler("1", nil))
		}, "1", nil},
		{"middleware is for its types, in the order of registration", func(tr *trace, root, _ *bot.Router) {
			root.Outer(tr.middleware("a"), bot.CallbackQuery)
			root.Outer(tr.middleware("b"), bot.Message, bot.EditedMessage)
			root.Outer(tr.middleware("c"))
			root.Message(tr.handler("h", nil))
		}, "b c h /c /b", nil},
		{"outer middleware may end the turn", func(tr *trace, root, _ *bot.Router) {
			root.Outer(func(bot.Handler) bot.Handler { return tr.handler("stop", nil) })
			root.Message(tr.handler("h", nil))
		}, "stop", nil},
		{"inner middleware may end the turn", func(tr *trace, root, _ *bot.Router) {
			root.Inner(func(bot.Handler) bot.Handler { return tr.handler("stop", nil) })
			root.Message(tr.handler("1", nil))
			root.Message(tr.handler("2", nil))
		}, "stop", nil},
		{"an error ends the turn", func(tr *trace, root, child *bot.Router) {
			root.Message(tr.handler("1", boom))
			root.Message(tr.handler("2", nil))
			child.Message(tr.handler("3", nil))
		}, "1", boom},
		{"* error handlers: the nearest router first, inside of the parent's outer middleware", func(tr *trace, root, child *bot.Router) {
			root.Outer(tr.middleware("outer"))
			root.OnError(func(_ context.Context, _ *bot.Turn, err error) error { tr.add("root!"); return nil })
			child.OnError(func(_ context.Context, _ *bot.Turn, err error) error { tr.add("child!"); return err })
			child.Message(tr.handler("h", boom))
		}, "outer h child! /outer root!", nil},
		{"a router that is switched off is passed by", func(tr *trace, root, child *bot.Router) {
			child.SetEnabled(false)
			child.Outer(tr.middleware("outer"))
			child.Message(tr.handler("child", nil))
		}, "", bot.ErrUnhandled},
		{"for any update", func(tr *trace, root, _ *bot.Router) {
			root.On(bot.AnyUpdate, tr.handler("any", nil))
			root.Message(tr.handler("message", nil))
		}, "any", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var tr trace
			root, child := bot.New("root"), bot.New("child")
			root.Include(child)
			c.wire(&tr, root, child)
			err := compiled(t, root).Answer(t.Context(), message("hi"))
			if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
				t.Errorf("got error %v, want %v", err, c.err)
			}
			if got := strings.Join(tr, " "); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
}
