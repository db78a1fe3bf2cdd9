package bot_test

import (
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
