package bot_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/bottest"
)

func TestRefusalsOfTheBotAPIAreTold(t *testing.T) {
	t.Parallel()
	r := bot.New("r")
	r.Message(bot.Say("hello"))
	w := bottest.New(t, r)
	ann := w.Person("Ann")
	for _, c := range []struct {
		err                  error
		blocked, notModified bool
	}{
		{bottest.Refuse(403, "Forbidden: bot was blocked by the user"), true, false},
		{bottest.Refuse(400, "Bad Request: message is not modified: same content"), false, true},
		{bottest.Refuse(400, "Bad Request: chat not found"), false, false},
		{errors.New("no network"), false, false},
	} {
		w.Stub("sendMessage", func(json.RawMessage) (any, error) { return nil, c.err })
		err := w.Fails(func() { ann.Say("hi") })
		if bot.IsBlocked(err) != c.blocked || bot.IsNotModified(err) != c.notModified {
			t.Errorf("%v: blocked %v, not modified %v", err, bot.IsBlocked(err), bot.IsNotModified(err))
		}
	}
}

func TestAtMostOnceReachesTheCall(t *testing.T) {
	t.Parallel()
	r := bot.New("r")
	r.Calls(func(next bot.CallFunc) bot.CallFunc {
		return func(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error) {
			if bot.IsAtMostOnce(ctx) { // as if the answer to an earlier attempt was lost
				return nil, bot.ErrMaybeSent
			}
			return next(ctx, method, params)
		}
	})
	r.Message(func(ctx context.Context, t *bot.Turn) error {
		if err := t.Answer(bot.AtMostOnce(ctx), "10 paid"); !errors.Is(err, bot.ErrMaybeSent) {
			return err
		}
		return t.Answer(ctx, "Please check your account")
	})
	ann := bottest.New(t, r).Person("Ann")
	ann.Say("pay")
	ann.Expect("Please check your account")
}
