package bot_test

import (
	"context"
	"errors"
	"testing"

	"github.com/mymmrac/telego"

	"github.com/chatlane/chatlane/bot"
)

func TestAnUpdateIsDecodedOnceAndOnlyWhenAsked(t *testing.T) {
	n := 0
	turn := bot.NewTurn(bot.Parts{Type: "message", Chat: 1, ID: 3, Decode: func() (*telego.Update, error) {
		n++
		return &telego.Update{UpdateID: 3, Message: &telego.Message{Text: "hi"}}, nil
	}})
	if turn.Envelope().Update != 3 || turn.Chat() != 1 || n != 0 {
		t.Errorf("decoded %d times before anything asked", n)
	}
	if turn.Text() != "hi" || turn.Update().UpdateID != 3 || turn.Message() == nil || n != 1 {
		t.Errorf("decoded %d times, want once", n)
	}
}

func TestAnUpdateThatFitsNoTypeFailsWhatAsksForIt(t *testing.T) {
	no := errors.New("no such status")
	parts := bot.Parts{Type: "message", Raw: []byte(`{}`), Decode: func() (*telego.Update, error) { return nil, no }}
	r := bot.New("test")
	r.Message(func(_ context.Context, turn *bot.Turn) error {
		if string(turn.Raw()) == "{}" {
			turn.Update()
		}
		return nil
	})
	err := compiled(t, r).Answer(t.Context(), bot.NewTurn(parts))
	var undecoded *bot.UndecodedError
	var panicked *bot.PanicError
	if !errors.As(err, &undecoded) || errors.As(err, &panicked) || !errors.Is(err, no) || err.Error() != no.Error() {
		t.Errorf("got %v (%T)", err, err)
	}
	if err := bot.Recovered("boom"); !errors.As(err, &panicked) || len(panicked.Stack) == 0 {
		t.Errorf("got %v", err)
	}
}
