package bot_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mymmrac/telego"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/bottest"
)

func TestAutoAnswerLeavesNoButtonWaiting(t *testing.T) {
	t.Parallel()
	r := bot.New("r")
	r.Inner(bot.AutoAnswer)
	r.Message(bot.Say("?", bot.Inline(bot.Row(
		bot.Button("plain", "plain"), bot.Button("text", "text"), bot.Button("own", "own"),
		bot.Button("slow", "slow"), bot.Button("fail", "fail"),
	))))
	r.Callback(nothing, bot.Pressed("plain"))
	r.Callback(nothing, bot.Pressed("text"), bot.With(bot.Notice{Text: "Saved"}))
	r.Callback(func(ctx context.Context, t *bot.Turn) error { return t.AnswerCallback(ctx, "mine") }, bot.Pressed("own"))
	r.Callback(bot.Say("worked"), bot.Pressed("slow"), bot.With(bot.Notice{Text: "Working...", Alert: true, Before: true}))
	r.Callback(func(context.Context, *bot.Turn) error { return errors.New("boom") }, bot.Pressed("fail"))
	w := bottest.New(t, r)
	ann := w.Person("Ann")
	ann.Say("hi")
	ann.Expect("?")
	for _, c := range [][2]string{{"plain", ""}, {"text", "Saved"}, {"own", "mine"}, {"slow", "Working..."}} {
		ann.Press(c[0])
		ann.ExpectNotice(c[1])
	}
	calls := w.Calls("answerCallbackQuery", "sendMessage")
	if last := calls[len(calls)-1].Method; last != "sendMessage" {
		t.Errorf("last call is %s, want the notice before the handler", last)
	}
	_ = w.Fails(func() { ann.Press("fail") })
	if n := len(w.Calls("answerCallbackQuery")); n != 4 {
		t.Errorf("%d buttons answered, want 4: one that failed is tried again", n)
	}
	w.Stub("answerCallbackQuery", func(json.RawMessage) (any, error) {
		return nil, bottest.Refuse(400, "Bad Request: query is too old")
	})
	ann.Press("plain") // no reason to fail
	ann.Press("slow")
}

func TestShowActionLastsAsLongAsTheHandler(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		work := func(d time.Duration) bot.Handler {
			return func(context.Context, *bot.Turn) error { time.Sleep(d); return nil }
		}
		r := bot.New("r")
		r.Inner(bot.ShowAction)
		r.Message(work(10*time.Second), bot.Command("report"), bot.With(bot.Action("upload_document")))
		r.Message(work(time.Second), bot.Command("think"))
		r.Message(work(time.Millisecond))
		r.On(bot.Poll, nothing)
		w := bottest.New(t, r)
		ann := w.Person("Ann")
		for text, want := range map[string]int{"/report": 3, "/think": 1, "quick": 0} {
			before := len(w.Calls("sendChatAction"))
			ann.Say(text)
			if n := len(w.Calls("sendChatAction")) - before; n != want {
				t.Errorf("%s: %d chat actions, want %d", text, n, want)
			}
		}
		w.Update(telego.Update{Poll: &telego.Poll{ID: "p"}}) // nowhere to show it
		ann.Say("/report")
		if got := lastCall(t, w, "sendChatAction")["action"]; got != "upload_document" {
			t.Errorf("action is %v", got)
		}
	})
}

func TestDeepLinks(t *testing.T) {
	t.Parallel()
	for kind, link := range map[string]func(string, string) (string, error){
		"start": bot.StartLink, "startgroup": bot.GroupLink, "startapp": bot.AppLink,
	} {
		got, err := link("test_bot", "ref_1-a")
		if want := "https://t.me/test_bot?" + kind + "=ref_1-a"; got != want || err != nil {
			t.Errorf("link is %q, %v, want %q", got, err, want)
		}
		for _, payload := range []string{"", "a b", "ü", "a.b", strings.Repeat("x", 65)} {
			if _, err := link("test_bot", payload); !errors.Is(err, bot.ErrPayload) {
				t.Errorf("payload %q: %v", payload, err)
			}
		}
	}
	payload, err := bot.EncodePayload("order: ü 17")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := bot.DecodePayload(payload); text != "order: ü 17" || err != nil {
		t.Errorf("payload reads %q, %v", text, err)
	}
	if _, err := bot.EncodePayload(strings.Repeat("x", 49)); !errors.Is(err, bot.ErrPayload) {
		t.Errorf("a long text: %v", err)
	}
	if _, err := bot.DecodePayload("!"); err == nil {
		t.Error("a broken payload was read")
	}
	for text, want := range map[string]bool{"/start " + payload: true, "/start": false, "/start a b": false, "/help x": false} {
		if got := passes(t, bot.StartPayload(), message(text)); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}
