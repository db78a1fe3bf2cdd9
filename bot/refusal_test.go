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
	kinds := map[string]func(error) bool{
		"blocked": bot.IsBlocked, "not modified": bot.IsNotModified, "too old": bot.IsQueryTooOld, "too long": bot.IsTooLong,
		"no chat": bot.IsChatNotFound, "gone": bot.IsMessageGone, "closed": bot.IsTopicClosed,
	}
	for _, c := range []struct {
		err  error
		kind string
	}{
		{bottest.Refuse(403, "Forbidden: bot was blocked by the user"), "blocked"},
		{bottest.Refuse(403, "Forbidden: user is deactivated"), "blocked"},
		{bottest.Refuse(400, "Bad Request: message is not modified: same content"), "not modified"},
		{bottest.Refuse(400, "Bad Request: query is too old and response timeout expired or query ID is invalid"), "too old"},
		{bottest.Refuse(400, "Bad Request: QUERY_ID_INVALID"), "too old"},
		{bottest.Refuse(400, "Bad Request: message is too long"), "too long"},
		{bottest.Refuse(400, "Bad Request: message caption is too long"), "too long"},
		{bottest.Refuse(400, "Bad Request: chat not found"), "no chat"},
		{bottest.Refuse(400, "Bad Request: message to edit not found"), "gone"},
		{bottest.Refuse(400, "Bad Request: message to be replied not found"), "gone"},
		{bottest.Refuse(400, "Bad Request: TOPIC_CLOSED"), "closed"},
		{bottest.Refuse(400, "Bad Request: can't parse entities"), ""},
		{bottest.Refuse(404, "Not Found: message is not modified"), ""},
		{errors.New("no network: chat not found"), ""},
	} {
		w.Stub("sendMessage", func(json.RawMessage) (any, error) { return nil, c.err })
		err := w.Fails(func() { ann.Say("hi") })
		for kind, is := range kinds {
			if is(err) != (kind == c.kind) {
				t.Errorf("%v: %s is %v", err, kind, is(err))
			}
		}
	}
}

// What the call is for is reached: the message says so already, nobody waits any more.
func TestCallsWhosePurposeIsMetAreDone(t *testing.T) {
	t.Parallel()
	r := bot.New("r")
	var made int
	r.Message(bot.Say("Sure?", bot.Inline(bot.Row(bot.Button("Yes", "yes")))))
	r.Callback(func(ctx context.Context, t *bot.Turn) error {
		for _, call := range []func() error{
			func() error { return t.Edit(ctx, "Sure?") },
			func() error { return t.AnswerCallback(ctx, "") },
			func() error { return t.Alert(ctx, "Hurry") },
		} {
			if err := call(); err != nil {
				return err
			}
			made++
		}
		return nil
	})
	w := bottest.New(t, r)
	stub := func(method, description string) {
		w.Stub(method, func(json.RawMessage) (any, error) { return nil, bottest.Refuse(400, "Bad Request: "+description) })
	}
	stub("editMessageText", "message is not modified: specified new message content and reply markup are exactly the same")
	stub("answerCallbackQuery", "query is too old and response timeout expired or query ID is invalid")
	ann := w.Person("Ann")
	ann.Say("hi")
	ann.Press("Yes")
	if made != 3 {
		t.Errorf("%d of 3 calls are done", made)
	}
	stub("editMessageText", "message can't be edited")
	if err := w.Fails(func() { ann.Press("Yes") }); bot.IsNotModified(err) {
		t.Error(err)
	}
	stub("editMessageText", "message is not modified")
	stub("answerCallbackQuery", "BUTTON_INVALID")
	if err := w.Fails(func() { ann.Press("Yes") }); bot.IsQueryTooOld(err) {
		t.Error(err)
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
