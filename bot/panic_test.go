package bot_test

import (
	"context"
	"encoding/json"
	"errors"
	"math/bits"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/bottest"
)

// Call middleware runs on the goroutine that shows the chat action. A panic there
// would end the process, and after it each worker that the update comes to.
func TestPanicBesideTheHandlerFailsItsTurn(t *testing.T) {
	t.Parallel()
	broken := errors.New("handler failed")
	for _, ends := range []error{nil, bot.ErrSkip, broken} {
		synctest.Test(t, func(t *testing.T) {
			r := bot.New("r")
			r.Calls(func(next bot.CallFunc) bot.CallFunc {
				return func(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error) {
					if method == "sendChatAction" {
						panic("call middleware is broken")
					}
					return next(ctx, method, params)
				}
			})
			r.Inner(bot.ShowAction)
			r.Message(func(context.Context, *bot.Turn) error {
				time.Sleep(time.Second)
				return ends
			})
			w := bottest.New(t, r)
			err := w.Fails(func() { w.Person("Ann").Say("hi") })
			if p, ok := errors.AsType[*bot.PanicError](err); !ok || len(p.Stack) == 0 {
				t.Errorf("handler ends with %v: turn fails with %v, want a *PanicError", ends, err)
			}
			if errors.Is(ends, broken) && !errors.Is(err, broken) {
				t.Errorf("the handler's own error is lost: %v", err)
			}
		})
	}
}

func TestPanicOfAMigrationFailsItsTurn(t *testing.T) {
	t.Parallel()
	r := bot.New("r")
	r.Flow("order").Version(2, func(int, bot.State, json.RawMessage) (bot.State, json.RawMessage, error) {
		panic("migration is broken")
	})
	var seen error
	r.OnError(func(_ context.Context, _ *bot.Turn, err error) error { seen = err; return err })
	r.Message(nothing)
	kept := &memory{state: string(quantity), data: []byte(`1`)}
	err := compiled(t, r).Answer(t.Context(), bot.NewTurn(partsFor("hi", kept)))
	if p, ok := errors.AsType[*bot.PanicError](err); !ok || len(p.Stack) == 0 {
		t.Errorf("turn fails with %v, want a *PanicError", err)
	}
	if !errors.Is(seen, err) {
		t.Errorf("error handlers see %v", seen)
	}
	if kept.state != string(quantity) || string(kept.data) != `1` {
		t.Errorf("conversation is changed to %+v", kept)
	}
}

// Call middleware is the author's code also where it only wraps.
func TestPanicOfCallMiddlewareThatWrapsFailsTheCalls(t *testing.T) {
	t.Parallel()
	r := bot.New("r")
	r.Calls(func(bot.CallFunc) bot.CallFunc { panic("call middleware is broken") })
	r.Message(bot.Say("hello"))
	w := bottest.New(t, r)
	err := w.Fails(func() { w.Person("Ann").Say("hi") })
	if p, ok := errors.AsType[*bot.PanicError](err); !ok || len(p.Stack) == 0 {
		t.Errorf("turn fails with %v, want a *PanicError", err)
	}
}

// The Bot API gains a type or two with each version.
func TestThereIsRoomForMoreUpdateTypes(t *testing.T) {
	t.Parallel()
	used := bits.Len64(uint64(bot.AnyUpdate | bot.Timeout))
	if free := reflect.TypeFor[bot.Type]().Bits() - used; free < 16 {
		t.Errorf("%d bits are free, want 16 or more", free)
	}
}
