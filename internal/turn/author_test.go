package turn_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/turn"
)

// textError is an author's error type that fails as a nil pointer.
type textError struct{ text string }

func (e *textError) Error() string { return e.text }

// codeError fails when it is compared with an error of another type.
type codeError struct{ code string }

func (e *codeError) Error() string { return e.code }

func (e *codeError) Is(target error) bool { return target.(*codeError).code == e.code }

// selfError panics with itself.
type selfError struct{}

func (e *selfError) Error() string { return "self" }

func (e *selfError) Is(error) bool { panic(e) }

func TestNoCodeOfAnAuthorEndsTheWorker(t *testing.T) {
	var none *textError
	returns := func(err error) bot.Handler { return func(context.Context, *bot.Turn) error { return err } }
	badCalls := func(b *bot.Router) { b.Calls(func(bot.CallFunc) bot.CallFunc { panic("made for each turn") }) }
	for name, add := range map[string]func(b *bot.Router){
		"a handler's error is a nil pointer":           func(b *bot.Router) { b.Message(returns(none)) },
		"a handler's error panics when it is compared": func(b *bot.Router) { b.Message(returns(&codeError{"x"})) },
		"a gate's error panics with itself when it is compared": func(b *bot.Router) {
			b.Before(func(context.Context, bot.Envelope) error { return &selfError{} })
		},
		"an error handler's error is a nil pointer": func(b *bot.Router) {
			b.Message(returns(errors.New("no")))
			b.OnError(func(context.Context, *bot.Turn, error) error { return none })
		},
		"a gate's error is a nil pointer": func(b *bot.Router) {
			b.Before(func(context.Context, bot.Envelope) error { return none })
			b.Message(echo)
		},
		"an urgent handler's error is a nil pointer": func(b *bot.Router) { b.Urgent(bot.Message, returns(none)) },
		"an urgent handler panics": func(b *bot.Router) {
			b.Urgent(bot.Message, func(context.Context, *bot.Turn) error { panic("no") })
		},
		"call middleware panics when it is made": func(b *bot.Router) { badCalls(b); b.Message(echo) },
		"call middleware of an urgent handler panics when it is made": func(b *bot.Router) {
			badCalls(b)
			b.Urgent(bot.Message, echo)
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.cfg = turn.Config{MaxAttempts: 2}
				b := bot.New("author")
				add(b)
				r.work(b)
				r.say(1, "hi")
				r.expect(time.Minute)
				if got := r.letters(); !slices.Equal(got, []string{"1 panic 2"}) {
					t.Errorf("dead letters: %q", got)
				}
				r.empty()
			})
		})
	}
}

func TestHandlerThatEndsItsGoroutineFailsAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.cfg = turn.Config{MaxAttempts: 1, Deadline: time.Hour}
		b := bot.New("exit")
		b.Message(func(context.Context, *bot.Turn) error { runtime.Goexit(); return nil })
		r.work(b)
		r.say(1, "hi")
		r.expect(time.Minute)
		if got := r.letters(); !slices.Equal(got, []string{"1 panic 1"}) {
			t.Errorf("dead letters: %q", got)
		}
		r.empty()
	})
}
