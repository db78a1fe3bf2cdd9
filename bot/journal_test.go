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

func TestCallMakesAnyCall(t *testing.T) {
	t.Parallel()
	r := bot.New("r")
	r.Message(func(ctx context.Context, t *bot.Turn) error {
		_, err := t.Call(ctx, "sendMessage", map[string]any{"chat_id": t.Chat(), "text": "by hand"})
		return err
	})
	ann := bottest.New(t, r).Person("Ann")
	ann.Say("hi")
	ann.Expect("by hand")
	if _, err := bot.NewTurn(bot.Parts{}).Call(t.Context(), "getMe", nil); err == nil {
		t.Error("a turn without the Bot API made a call")
	}
}

func TestOnceIsAnsweredFromTheJournal(t *testing.T) {
	t.Parallel()
	type order struct{ Number int }
	journal, done := map[string]json.RawMessage{}, 0
	var once bot.OnceFunc = func(
		ctx context.Context, key string, do func(context.Context) (json.RawMessage, error),
	) (json.RawMessage, error) {
		if kept, ok := journal[key]; ok {
			return kept, nil
		}
		result, err := do(ctx)
		if err == nil {
			journal[key] = result
		}
		return result, err
	}
	place := func(p bot.Parts) (order, error) {
		return bot.Once(t.Context(), bot.NewTurn(p), "order", func(context.Context) (order, error) {
			done++
			if done == 1 {
				return order{}, errors.New("shop is closed")
			}
			return order{Number: done}, nil
		})
	}
	if _, err := place(bot.Parts{Once: once}); err == nil {
		t.Error("the error is lost")
	}
	for range 2 {
		if o, err := place(bot.Parts{Once: once}); err != nil || o.Number != 2 {
			t.Errorf("got %+v, %v", o, err)
		}
	}
	if o, err := place(bot.Parts{}); err != nil || o.Number != 3 {
		t.Errorf("without a journal: %+v, %v", o, err)
	}
	journal["order"] = json.RawMessage(`"of another release"`)
	if _, err := place(bot.Parts{Once: once}); err == nil {
		t.Error("an unreadable result passes")
	}
}

func TestWhatIsAwayIsNobodysFault(t *testing.T) {
	t.Parallel()
	down := errors.New("database is down")
	r := bot.New("r")
	r.OnError(func(context.Context, *bot.Turn, error) error { return nil })
	r.Message(func(context.Context, *bot.Turn) error {
		return &bot.UnavailableError{RetryAfter: time.Second, Err: down}
	})
	world := bottest.New(t, r)
	err := world.Fails(func() { world.Person("Ann").Say("hi") })
	var away *bot.UnavailableError
	if !errors.As(err, &away) || !errors.Is(err, down) || away.RetryAfter != time.Second || away.Error() != down.Error() {
		t.Errorf("an error handler took %v", err)
	}
	if !away.Blameless() {
		t.Error("it is to blame")
	}
}
