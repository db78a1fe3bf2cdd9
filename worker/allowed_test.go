package worker

import (
	"bytes"
	"context"
	"testing"

	"github.com/chatlane/chatlane/bot"
)

// What the worker prints is what ingress is to be told.
func TestAWorkerPrintsTheUpdateTypesOfItsBot(t *testing.T) {
	r := bot.New("mybot")
	nothing := func(context.Context, *bot.Turn) error { return nil }
	r.Message(nothing)
	r.Urgent(bot.CallbackQuery, nothing)
	r.On(bot.ChatMember, nothing)
	r.OnTimeout(nothing, 0, "poll:asked")
	var stdout, stderr bytes.Buffer
	code := program(r, []string{"allowed-updates"}, nil, &stdout, &stderr)
	if want := "message,callback_query,chat_member\n"; code != 0 || stdout.String() != want || stderr.Len() > 0 {
		t.Errorf("exit %d, %q, want %q: %s", code, &stdout, want, &stderr)
	}
}
