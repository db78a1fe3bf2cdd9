package bottest_test

import (
	"context"
	"strings"
	"testing"

	"github.com/mymmrac/telego"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/bottest"
)

// A test that is green on calls which Telegram refuses is worth nothing.
func TestCallsThatTelegramRefusesAreRefused(t *testing.T) {
	t.Parallel()
	var probe func(ctx context.Context, t *bot.Turn)
	r := bot.New("r")
	r.On(bot.Poll, func(ctx context.Context, t *bot.Turn) error { probe(ctx, t); return nil })
	w := bottest.New(t, r)
	ann := w.Person("Ann")
	call := func(method string, params map[string]any) error {
		var err error
		probe = func(ctx context.Context, t *bot.Turn) { _, err = t.Call(ctx, method, params) }
		w.Update(telego.Update{Poll: &telego.Poll{ID: "p"}})
		return err
	}
	if err := call("sendMessage", map[string]any{"chat_id": ann.ID(), "text": "hi"}); err != nil {
		t.Fatal(err)
	}
	message := ann.Last().MessageID
	if err := call("sendPhoto", map[string]any{"chat_id": ann.ID(), "photo": "F", "caption": "look"}); err != nil {
		t.Fatal(err)
	}
	photo := ann.Last().MessageID
	if ann.Last().Photo == nil {
		t.Error("a photo was sent as nothing")
	}
	for name, c := range map[string]struct {
		method string
		params map[string]any
		want   string
	}{
		"5,000 characters":        {"sendMessage", map[string]any{"text": strings.Repeat("x", 5000)}, "message is too long"},
		"blank text":              {"sendMessage", map[string]any{"text": " \n\u00a0\u200b"}, "message text is empty"},
		"blank under its marks":   {"sendMessage", map[string]any{"text": "<b> </b>", "parse_mode": "HTML"}, "message text is empty"},
		"broken HTML":             {"sendMessage", map[string]any{"text": "<b>x & <", "parse_mode": "HTML"}, "can't parse entities"},
		"broken MarkdownV2":       {"sendMessage", map[string]any{"text": "1.", "parse_mode": "MarkdownV2"}, "is reserved and must be escaped"},
		"unknown mode":            {"sendMessage", map[string]any{"text": "x", "parse_mode": "rtf"}, "unsupported parse_mode"},
		"long caption":            {"sendPhoto", map[string]any{"photo": "F", "caption": strings.Repeat("x", 1025)}, "caption is too long"},
		"the same edit":           {"editMessageText", map[string]any{"message_id": message, "text": "hi"}, "message is not modified"},
		"the same in HTML":        {"editMessageText", map[string]any{"message_id": message, "text": "h&#105;", "parse_mode": "HTML"}, "message is not modified"},
		"the same caption":        {"editMessageCaption", map[string]any{"message_id": photo, "caption": "look"}, "message is not modified"},
		"no keyboard twice":       {"editMessageReplyMarkup", map[string]any{"message_id": photo}, "message is not modified"},
		"text under a photo":      {"editMessageText", map[string]any{"message_id": photo, "text": "x"}, "there is no text in the message to edit"},
		"caption of a text":       {"editMessageCaption", map[string]any{"message_id": message, "caption": "x"}, "there is no caption in the message to edit"},
		"300 character notice":    {"answerCallbackQuery", map[string]any{"callback_query_id": "q", "text": strings.Repeat("x", 300)}, "MESSAGE_TOO_LONG"},
		"album of one":            {"sendMediaGroup", map[string]any{"media": []any{map[string]any{"type": "photo", "media": "F"}}}, "2 to 10"},
		"button without effect":   {"sendMessage", map[string]any{"text": "x", "reply_markup": markup(map[string]any{"text": "A"})}, "Text buttons are unallowed"},
		"button without a text":   {"sendMessage", map[string]any{"text": "x", "reply_markup": markup(map[string]any{"text": "", "url": "https://example.org"})}, "button text"},
		"button with long data":   {"sendMessage", map[string]any{"text": "x", "reply_markup": markup(map[string]any{"text": "A", "callback_data": strings.Repeat("é", 33)})}, "BUTTON_DATA_INVALID"},
		"question of 301 letters": {"sendPoll", map[string]any{"question": strings.Repeat("x", 301)}, "1 to 300"},
		"invoice without payload": {"sendInvoice", map[string]any{"title": "x", "description": "x"}, "INVOICE_PAYLOAD_INVALID"},
	} {
		c.params["chat_id"] = ann.ID()
		if err := call(c.method, c.params); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	for name, c := range map[string]struct {
		method string
		params map[string]any
	}{
		"4,096 characters":  {"sendMessage", map[string]any{"text": strings.Repeat("x", 4096)}},
		"more, with marks":  {"sendMessage", map[string]any{"text": "<b>" + strings.Repeat("&lt;", 4096) + "</b>", "parse_mode": "html"}},
		"another look":      {"editMessageText", map[string]any{"message_id": message, "text": "<b>hi</b>", "parse_mode": "HTML"}},
		"another caption":   {"editMessageCaption", map[string]any{"message_id": photo, "caption": "see"}},
		"200 letter notice": {"answerCallbackQuery", map[string]any{"callback_query_id": "q", "text": strings.Repeat("é", 200)}},
	} {
		c.params["chat_id"] = ann.ID()
		if err := call(c.method, c.params); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func markup(button map[string]any) map[string]any {
	return map[string]any{"inline_keyboard": [][]any{{button}}}
}

func TestNobodyWhoBlockedTheBotIsWrittenTo(t *testing.T) {
	t.Parallel()
	r := bot.New("r")
	r.On(bot.MyChatMember, func(ctx context.Context, t *bot.Turn) error { return t.Answer(ctx, "Do not go") }, bot.Blocked())
	r.On(bot.MyChatMember, func(ctx context.Context, t *bot.Turn) error { return t.Answer(ctx, "Welcome back") }, bot.Unblocked())
	r.Message(func(ctx context.Context, t *bot.Turn) error { return t.Answer(ctx, "Hello") })
	w := bottest.New(t, r)
	ann := w.Person("Ann")
	g := w.Group("Team")
	if err := w.Fails(func() { ann.Block() }); !bot.IsBlocked(err) {
		t.Errorf("to the one who blocked: %v", err)
	}
	ann.ExpectSilence()
	ann.Unblock()
	ann.Expect("Welcome back")
	if err := w.Fails(func() { ann.Block() }); !bot.IsBlocked(err) {
		t.Error(err)
	}
	ann.Say("hi") // which only works where the bot is not blocked
	ann.Expect("Hello")
	ann.In(g).Block()
	if _, err := w.API().SendMessage(t.Context(), &telego.SendMessageParams{ChatID: telego.ChatID{ID: g.ID()}, Text: "x"}); !bot.IsBlocked(err) {
		t.Errorf("to a group that removed the bot: %v", err)
	}
}

func TestAlbumsOfEveryKindOfChatCome(t *testing.T) {
	t.Parallel()
	r := bot.New("r")
	r.Albums(1)
	var sizes []int
	r.On(bot.AnyMessage, func(_ context.Context, t *bot.Turn) error { sizes = append(sizes, len(t.Album())); return nil })
	w := bottest.New(t, r)
	photo := telego.Message{MessageID: 1, Chat: telego.Chat{ID: 5, Type: "channel"}, MediaGroupID: "a", Photo: []telego.PhotoSize{{}}}
	w.Update(telego.Update{ChannelPost: &photo})
	photo.BusinessConnectionID, photo.Chat.Type = "b", "private"
	w.Update(telego.Update{BusinessMessage: &photo})
	photo.BusinessConnectionID = ""
	w.Update(telego.Update{Message: &photo})
	w.Update(telego.Update{EditedMessage: &photo})
	if len(sizes) != 4 || sizes[0] != 1 || sizes[1] != 1 || sizes[2] != 1 || sizes[3] != 0 {
		t.Errorf("albums of %v messages", sizes)
	}
}
