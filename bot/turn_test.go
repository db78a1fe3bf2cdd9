package bot_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mymmrac/telego"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/bottest"
)

func TestTurnTellsWhereItBelongs(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	raw := json.RawMessage(`{"update_id":7,"message":{"of_tomorrow":true}}`)
	update := &telego.Update{UpdateID: 7, Message: &telego.Message{Text: "hi"}}
	turn := bot.NewTurn(bot.Parts{
		Bot: bot.Info{ID: 42, Username: "test_bot"}, Type: "message", Raw: raw, Update: update,
		Chat: 1, User: 2, Thread: 3, Business: "b", Attempt: 2, Received: time.Unix(5, 0),
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if turn.Bot().Username != "test_bot" || turn.Type() != bot.Message || turn.Chat() != 1 || turn.User() != 2 ||
		turn.Thread() != 3 || turn.Business() != "b" || turn.Attempt() != 2 || string(turn.Raw()) != string(raw) ||
		turn.Received() != time.Unix(5, 0) {
		t.Errorf("turn is %+v", turn)
	}
	if turn.Update() != update || turn.Message() != update.Message || turn.Text() != "hi" || turn.Query() != nil || turn.API() != nil {
		t.Error("turn does not have its update")
	}
	turn.Logger().Info("noted")
	if !strings.Contains(log.String(), "noted") {
		t.Error("the logger is not that of the turn")
	}
}

func TestTurnCopesWithNothing(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	turn := bot.NewTurn(bot.Parts{Type: "poll", Update: &telego.Update{Poll: &telego.Poll{ID: "p"}}})
	turn.Logger().Info("goes nowhere")
	if turn.State() != bot.None || turn.Message() != nil || turn.From() != nil || turn.Text() != "" || turn.History() != nil {
		t.Errorf("turn is %+v", turn)
	}
	_, dataErr := bot.Data[int](turn)
	_, changeErr := bot.UpdateData(turn, func(*int) {})
	for name, err := range map[string]error{
		"go": turn.SetState(ctx, "a:b"), "finish": turn.Clear(ctx), "data": dataErr, "set": bot.SetData(turn, 1),
		"change": changeErr, "expire": turn.ExpireIn(1), "go with": bot.SetStateWith(ctx, turn, "a:b", 1),
	} {
		if !errors.Is(err, bot.ErrNoState) {
			t.Errorf("%s: got %v, want ErrNoState", name, err)
		}
	}
	for name, err := range map[string]error{
		"answer": turn.Answer(ctx, "x"), "edit": turn.Edit(ctx, "x"), "callback": turn.AnswerCallback(ctx, "x"),
		"album": turn.SendAlbum(ctx),
	} {
		if !errors.Is(err, bot.ErrNoChat) {
			t.Errorf("%s: got %v, want ErrNoChat", name, err)
		}
	}
	if bot.NewTurn(bot.Parts{}).Update() == nil {
		t.Error("update is nil")
	}
}

func TestContextOfTheTurnReachesTheHandler(t *testing.T) {
	t.Parallel()
	type span struct{}
	var got any
	r := bot.New("r")
	r.Outer(bot.ShowAction)
	r.Inner(bot.AutoAnswer)
	r.Message(func(ctx context.Context, _ *bot.Turn) error { got = ctx.Value(span{}); return nil })
	if err := compiled(t, r).Answer(context.WithValue(t.Context(), span{}, "turn.run"), message("hi")); err != nil || got != "turn.run" {
		t.Errorf("handler has the span %v, %v", got, err)
	}
}

func TestEscapeMarkdown(t *testing.T) {
	t.Parallel()
	if got := bot.EscapeMarkdown(`2*2=4. (Ünal\)`); got != `2\*2\=4\. \(Ünal\\\)` {
		t.Errorf("got %s", got)
	}
}

func TestFromIsWhoActed(t *testing.T) {
	t.Parallel()
	user := telego.User{ID: 6}
	for typ, u := range map[string]telego.Update{
		"message": {Message: &telego.Message{From: &user}}, "edited_message": {EditedMessage: &telego.Message{From: &user}},
		"callback_query":       {CallbackQuery: &telego.CallbackQuery{From: user, Message: &telego.Message{From: &telego.User{ID: 42}}}},
		"inline_query":         {InlineQuery: &telego.InlineQuery{From: user}},
		"chosen_inline_result": {ChosenInlineResult: &telego.ChosenInlineResult{From: user}},
		"shipping_query":       {ShippingQuery: &telego.ShippingQuery{From: user}},
		"pre_checkout_query":   {PreCheckoutQuery: &telego.PreCheckoutQuery{From: user}},
		"purchased_paid_media": {PurchasedPaidMedia: &telego.PaidMediaPurchased{From: user}},
		"my_chat_member":       {MyChatMember: &telego.ChatMemberUpdated{From: user}},
		"chat_member":          {ChatMember: &telego.ChatMemberUpdated{From: user}},
		"chat_join_request":    {ChatJoinRequest: &telego.ChatJoinRequest{From: user}},
		"poll_answer":          {PollAnswer: &telego.PollAnswer{User: &user}},
		"message_reaction":     {MessageReaction: &telego.MessageReactionUpdated{User: &user}},
		"business_connection":  {BusinessConnection: &telego.BusinessConnection{User: user}},
		"managed_bot":          {ManagedBot: &telego.ManagedBotUpdated{User: user}},
		"subscription":         {Subscription: &telego.BotSubscriptionUpdated{User: user}},
	} {
		if from := turnOf(typ, u).From(); from == nil || from.ID != 6 {
			t.Errorf("%s is from %v", typ, from)
		}
	}
}

// paramsOf reads the parameters of a call.
func paramsOf(t *testing.T, c bottest.Call) map[string]any {
	t.Helper()
	var params map[string]any
	if err := json.Unmarshal(c.Params, &params); err != nil {
		t.Fatal(err)
	}
	return params
}

// lastCall gives the parameters of the last call of a method.
func lastCall(t *testing.T, w *bottest.World, method string) map[string]any {
	t.Helper()
	calls := w.Calls(method)
	if len(calls) == 0 {
		t.Fatalf("%s was not called", method)
	}
	return paramsOf(t, calls[len(calls)-1])
}

func TestAnswersGoWhereTheTurnBelongs(t *testing.T) {
	t.Parallel()
	r := bot.New("r")
	var effect bot.Option = func(m *telego.SendMessageParams) { m.MessageEffectID = "5" }
	r.On(bot.AnyMessage, func(ctx context.Context, t *bot.Turn) error {
		if t.Text() == "quote" {
			return t.Reply(ctx, "quoted", bot.Silent, effect)
		}
		return t.Answer(ctx, "<b>hi</b>", bot.HTML, bot.NoPreview, bot.Protected)
	})
	r.On(bot.InlineQuery, bot.Say("in private"))
	w := bottest.New(t, r)
	ann := w.Person("Ann")
	g := w.Group("Team")
	ann.In(g).Topic(9).Say("hi")
	want := map[string]any{
		"chat_id": float64(g.ID()), "message_thread_id": 9.0, "text": "<b>hi</b>", "parse_mode": "HTML",
		"link_preview_options": map[string]any{"is_disabled": true}, "protect_content": true,
	}
	if diff := cmp.Diff(want, lastCall(t, w, "sendMessage")); diff != "" {
		t.Errorf("in a topic (-want +got):\n%s", diff)
	}
	ann.Say("quote")
	got := lastCall(t, w, "sendMessage")
	if got["reply_parameters"] == nil || got["disable_notification"] != true || got["message_effect_id"] != "5" {
		t.Errorf("a reply is sent as %v", got)
	}
	if m := ann.Last(); m.ReplyToMessage == nil || m.ReplyToMessage.Text != "quote" {
		t.Error("the reply quotes nothing")
	}
	w.Update(telego.Update{InlineQuery: &telego.InlineQuery{ID: "1", From: telego.User{ID: ann.ID()}}})
	ann.Expect("quoted", "in private")
	w.Update(telego.Update{BusinessMessage: &telego.Message{
		BusinessConnectionID: "b1", Text: "hi", Chat: telego.Chat{ID: ann.ID(), Type: "private"},
	}})
	if got := lastCall(t, w, "sendMessage")["business_connection_id"]; got != "b1" {
		t.Errorf("business connection is %v", got)
	}
	w.Update(telego.Update{ChannelPost: &telego.Message{
		Text: "hi", DirectMessagesTopic: &telego.DirectMessagesTopic{TopicID: 77}, Chat: telego.Chat{ID: ann.ID()},
	}})
	if got := lastCall(t, w, "sendMessage"); got["direct_messages_topic_id"] != 77.0 || got["message_thread_id"] != nil {
		t.Errorf("to direct messages it goes as %v", got)
	}
}

func TestSendFillsInWhatIsOpen(t *testing.T) {
	t.Parallel()
	r := bot.New("r")
	w := bottest.New(t, r)
	ann, bob := w.Person("Ann"), w.Person("Bob")
	r.Message(func(ctx context.Context, t *bot.Turn) error {
		m, err := t.Send(ctx, &telego.SendMessageParams{Text: "to you"})
		if err != nil {
			return err
		}
		_, err = t.Send(ctx, &telego.SendMessageParams{ChatID: telego.ChatID{ID: bob.ID()}, Text: "about " + m.Text})
		return err
	})
	ann.Say("hi")
	ann.Expect("to you")
	bob.Expect("about to you")
}

func TestButtonsAreEditedAndAnswered(t *testing.T) {
	t.Parallel()
	r := bot.New("r")
	r.Message(bot.Say("Sure?", bot.Inline(
		bot.Row(bot.Button("Yes", "yes"), bot.Button("No", "no")),
		bot.Row(bot.LinkButton("Why", "https://example.org")),
	)))
	r.Callback(func(ctx context.Context, t *bot.Turn) error {
		if err := t.AnswerCallback(ctx, "Good"); err != nil {
			return err
		}
		return t.Edit(ctx, "*Done*", bot.Markdown, bot.Inline(bot.Row(bot.Button("Undo", "undo"))))
	}, bot.Pressed("yes"))
	r.Callback(func(ctx context.Context, t *bot.Turn) error {
		params := telego.AnswerCallbackQueryParams{Text: "Undone", ShowAlert: true, CacheTime: 5}
		if err := t.SendCallback(ctx, params); err != nil {
			return err
		}
		return t.Edit(ctx, "Sure?", bot.Inline())
	}, bot.Pressed("undo"))
	w := bottest.New(t, r)
	ann := w.Person("Ann")
	ann.Say("delete it")
	ann.ExpectButtons("Yes", "No", "Why")
	ann.Press("Yes")
	ann.ExpectNotice("Good")
	ann.Expect("Sure?", "*Done*")
	ann.ExpectButtons("Undo")
	ann.Press("Undo")
	ann.ExpectNotice("Undone")
	ann.ExpectButtons()
	if got := lastCall(t, w, "answerCallbackQuery"); got["show_alert"] != true || got["cache_time"] != 5.0 {
		t.Errorf("the alert is sent as %v", got)
	}
	query := telego.CallbackQuery{ID: "x", From: telego.User{ID: ann.ID()}, Data: "yes", InlineMessageID: "i1"}
	w.Update(telego.Update{CallbackQuery: &query})
	if got := lastCall(t, w, "editMessageText"); got["inline_message_id"] != "i1" {
		t.Errorf("an inline message is edited by %v", got)
	}
	query.InlineMessageID = ""
	query.Message = &telego.InaccessibleMessage{Chat: telego.Chat{ID: ann.ID()}, MessageID: ann.Last().MessageID}
	w.Update(telego.Update{CallbackQuery: &query})
	ann.Expect("Sure?", "*Done*")
}

func TestKeyboards(t *testing.T) {
	t.Parallel()
	r := bot.New("r")
	days := []telego.InlineKeyboardButton{bot.Button("1", "1"), bot.Button("2", "2"), bot.Button("3", "3")}
	r.Message(bot.Say("Pick", bot.Inline(bot.Grid(2, days...)...)), bot.Text("grid"))
	r.Message(bot.Say("Yes or no?", bot.Keyboard([]string{"Yes", "No"})), bot.Text("ask"))
	r.Message(bot.Say("So yes", bot.NoKeyboard), bot.Text("Yes"))
	r.Message(bot.Say("Now", bot.Markup(&telego.ForceReply{ForceReply: true})), bot.Text("force"))
	w := bottest.New(t, r)
	ann := w.Person("Ann")
	ann.Say("grid")
	if rows := ann.Last().ReplyMarkup.InlineKeyboard; len(rows) != 2 || len(rows[0]) != 2 || len(rows[1]) != 1 {
		t.Errorf("grid is %v", rows)
	}
	ann.Say("ask")
	ann.Press("Yes")
	ann.Expect("Pick", "Yes or no?", "So yes")
	ann.Say("force")
	if lastCall(t, w, "sendMessage")["reply_markup"].(map[string]any)["force_reply"] != true {
		t.Error("the markup is not sent")
	}
}

func TestAlbumsAreSent(t *testing.T) {
	t.Parallel()
	r := bot.New("r")
	r.Message(func(ctx context.Context, t *bot.Turn) error {
		return t.SendAlbum(ctx,
			&telego.InputMediaPhoto{Type: "photo", Media: telego.InputFile{FileID: "a"}, Caption: "one"},
			&telego.InputMediaPhoto{Type: "photo", Media: telego.InputFile{FileID: "b"}, Caption: "two"})
	})
	ann := bottest.New(t, r).Person("Ann")
	ann.Say("show me")
	ann.Expect("one", "two")
}

func TestAlertsHaveToBeClosed(t *testing.T) {
	t.Parallel()
	r := bot.New("r")
	r.Message(bot.Say("?", bot.Inline(bot.Row(bot.Button("x", "x")))))
	r.Callback(func(ctx context.Context, t *bot.Turn) error { return t.Alert(ctx, "Look here") })
	w := bottest.New(t, r)
	ann := w.Person("Ann")
	ann.Say("hi")
	ann.Press("x")
	ann.ExpectNotice("Look here")
	if lastCall(t, w, "answerCallbackQuery")["show_alert"] != true {
		t.Error("the alert is no alert")
	}
}

func TestFilesAreDownloaded(t *testing.T) {
	t.Parallel()
	w := bottest.New(t, bot.New("r"))
	w.Stub("getFile", func(json.RawMessage) (any, error) {
		return map[string]any{"file_id": "F", "file_unique_id": "U", "file_path": "documents/a.txt"}, nil
	})
	turn := bot.NewTurn(bot.Parts{API: w.API(), Last: true, File: func(_ context.Context, path string) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader("of " + path)), nil
	}})
	f, err := turn.Download(t.Context(), "F")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(f); err != nil || string(text) != "of documents/a.txt" {
		t.Errorf("read %q, %v", text, err)
	}
	if !turn.LastAttempt() {
		t.Error("want the last attempt")
	}
	if _, err := bot.NewTurn(bot.Parts{}).Download(t.Context(), "F"); err == nil {
		t.Error("a file out of nothing")
	}
}
