package bot_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mymmrac/telego"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/bottest"
	envelope "github.com/chatlane/chatlane/internal/telegram/update"
)

// place is what an update must say of where it belongs, and where its answer goes.
type place struct {
	typ, payload string

	chat, user, from int64
	kind             string // of the chat
	sent             map[string]any
	none             bool // nowhere to answer
}

func to(chat int64) map[string]any { return map[string]any{"chat_id": float64(chat), "text": "hi"} }

func through(connection string, chat int64) map[string]any {
	m := to(chat)
	m["business_connection_id"] = connection
	return m
}

// places has a row for every type, and more where a type has several shapes.
func places() []place {
	const (
		from  = `"from":{"id":6,"first_name":"A"}`
		user  = `"user":{"id":6,"first_name":"A"}`
		dm    = `"chat":{"id":6,"type":"private"}`
		group = `"chat":{"id":-5,"type":"supergroup"}`
		news  = `"chat":{"id":-7,"type":"channel"}`
		mine  = `"business_connection_id":"b1"`
	)
	member := func(chat string) string {
		return `{` + chat + `,` + from + `,"date":1,"old_chat_member":{"status":"member","user":{"id":6}},"new_chat_member":{"status":"left","user":{"id":6}}}`
	}
	message := func(more string) string { return `{"message_id":1,"date":1,` + more + `}` }
	private := func(typ, payload string) place {
		return place{typ: typ, payload: payload, chat: 6, user: 6, from: 6, kind: "private", sent: to(6)}
	}
	inGroup := func(typ, payload string, from int64) place {
		return place{typ: typ, payload: payload, chat: -5, user: from, from: from, kind: "supergroup", sent: to(-5)}
	}
	business := func(typ, payload string, from int64) place {
		return place{typ: typ, payload: payload, chat: 6, user: from, from: from, kind: "private", sent: through("b1", 6)}
	}
	return []place{
		private("message", message(dm+`,`+from)),
		inGroup("message", message(group+`,`+from), 6),
		{typ: "message", payload: message(group + `,` + from + `,"sender_chat":{"id":-5,"type":"supergroup"}`), chat: -5, user: -5, from: 6, kind: "supergroup", sent: to(-5)},
		private("edited_message", message(dm+`,`+from)),
		{typ: "channel_post", payload: message(news), chat: -7, kind: "channel", sent: to(-7)},
		{typ: "edited_channel_post", payload: message(news), chat: -7, kind: "channel", sent: to(-7)},
		{typ: "business_connection", payload: `{"id":"b1",` + user + `,"user_chat_id":66,"date":1,"is_enabled":true}`, user: 6, from: 6, sent: to(66)},
		{typ: "business_connection", payload: `{"id":"b1",` + user + `,"user_chat_id":66,"date":1,"is_enabled":false}`, user: 6, from: 6, sent: to(66)},
		business("business_message", message(dm+`,`+from+`,`+mine), 6),
		business("edited_business_message", message(dm+`,`+from+`,`+mine), 6),
		business("deleted_business_messages", `{`+dm+`,`+mine+`,"message_ids":[1]}`, 0),
		{typ: "guest_message", payload: message(group + `,` + from + `,"guest_query_id":"g1"`), chat: -5, user: 6, from: 6, kind: "supergroup"},
		inGroup("message_reaction", `{`+group+`,`+user+`,"message_id":1,"date":1,"old_reaction":[],"new_reaction":[]}`, 6),
		private("message_reaction", `{`+dm+`,`+user+`,"message_id":1,"date":1,"old_reaction":[],"new_reaction":[]}`),
		inGroup("message_reaction_count", `{`+group+`,"message_id":1,"date":1,"reactions":[]}`, 0),
		private("inline_query", `{"id":"q",`+from+`,"query":"","offset":"","chat_type":"private"}`),
		private("inline_query", `{"id":"q",`+from+`,"query":"","offset":"","chat_type":"supergroup"}`),
		private("inline_query", `{"id":"q",`+from+`,"query":"","offset":"","chat_type":"sender"}`),
		private("inline_query", `{"id":"q",`+from+`,"query":"","offset":""}`),
		private("chosen_inline_result", `{"result_id":"r",`+from+`,"query":""}`),
		private("callback_query", `{"id":"q",`+from+`,"chat_instance":"1","data":"x","inline_message_id":"i"}`),
		private("callback_query", `{"id":"q",`+from+`,"chat_instance":"1","data":"x","message":`+message(dm)+`}`),
		inGroup("callback_query", `{"id":"q",`+from+`,"chat_instance":"1","data":"x","message":`+message(group)+`}`, 6),
		inGroup("callback_query", `{"id":"q",`+from+`,"chat_instance":"1","data":"x","message":{"message_id":1,"date":0,`+group+`}}`, 6),
		business("callback_query", `{"id":"q",`+from+`,"chat_instance":"1","data":"x","message":`+message(dm+`,`+mine)+`}`, 6),
		private("shipping_query", `{"id":"q",`+from+`,"invoice_payload":"p","shipping_address":{}}`),
		private("pre_checkout_query", `{"id":"q",`+from+`,"currency":"XTR","total_amount":1,"invoice_payload":"p"}`),
		private("purchased_paid_media", `{`+from+`,"paid_media_payload":"p"}`),
		{typ: "poll", payload: `{"id":"p","question":"?","options":[]}`, none: true},
		private("poll_answer", `{"poll_id":"p",`+user+`,"option_ids":[0]}`),
		{
			typ: "poll_answer", payload: `{"poll_id":"p",` + user + `,"voter_chat":{"id":-5,"type":"supergroup"},"option_ids":[0]}`,
			chat: -5, user: -5, from: 6, kind: "supergroup", sent: to(-5),
		},
		private("my_chat_member", member(dm)),
		inGroup("my_chat_member", member(group), 6),
		inGroup("chat_member", member(group), 6),
		{typ: "chat_join_request", payload: `{` + group + `,` + from + `,"user_chat_id":66,"date":1}`, chat: -5, user: 6, from: 6, kind: "supergroup", sent: to(66)},
		{typ: "chat_join_request", payload: `{` + news + `,` + from + `,"user_chat_id":66,"date":1}`, chat: -7, user: 6, from: 6, kind: "channel", sent: to(66)},
		inGroup("chat_boost", `{`+group+`,"boost":{"boost_id":"b","source":{"source":"premium",`+user+`}}}`, 6),
		inGroup("removed_chat_boost", `{`+group+`,"boost_id":"b","source":{"source":"gift_code",`+user+`}}`, 6),
		inGroup("removed_chat_boost", `{`+group+`,"boost_id":"b","source":{"source":"giveaway","giveaway_message_id":1}}`, 0),
		private("managed_bot", `{`+user+`,"bot":{"id":9}}`),
		private("subscription", `{`+user+`,"invoice_payload":"p","state":"canceled"}`),
		{typ: "stopped_message_generation", payload: `{` + dm + `,"draft_id":1}`, chat: 6, user: 6, kind: "private", sent: to(6)},
		private("widget_query", `{"id":"w",`+from+`,`+dm+`,"message_id":1,"data":"x","chat_instance":"1"}`),
		inGroup("widget_query", `{"id":"w",`+from+`,`+group+`,"message_id":1,"data":"x","chat_instance":"1"}`, 6),
		private("widget_query", `{"id":"w",`+from+`,"inline_message_id":"i","data":"x","chat_instance":"1"}`),
		private("shared_widget_query", `{"id":"w",`+from+`,"widget_id":"9","data":"x"}`),
		{typ: "of_tomorrow", payload: `{` + group + `,` + from + `}`, chat: -5, user: 6, kind: "supergroup", sent: to(-5)},
		{typ: "of_tomorrow", payload: `{"message":` + message(news) + `,` + from + `}`, chat: -7, user: 6, kind: "channel", sent: to(-7)},
		{typ: "of_tomorrow", payload: `{` + from + `}`, chat: 6, user: 6, kind: "private", sent: to(6)},
	}
}

// visit brings an update of a row to a handler, as a worker would.
func (p place) visit(t *testing.T, h bot.Handler) *bottest.World {
	t.Helper()
	r := bot.New("r")
	seen := false
	r.On(bot.AnyUpdate, func(ctx context.Context, t *bot.Turn) error { seen = true; return h(ctx, t) })
	w := bottest.New(t, r)
	for _, method := range []string{"sendMessage", "sendMediaGroup"} {
		w.Stub(method, func(json.RawMessage) (any, error) { return nil, nil }) //nolint:nilnil // nobody looks at it
	}
	raw := json.RawMessage(`{"update_id":1,"` + p.typ + `":` + p.payload + `}`)
	if bot.TypeOf(p.typ) != bot.Unknown {
		w.RawUpdate(raw)
	} else {
		e, err := envelope.Peek(42, raw)
		if err != nil {
			t.Fatal(err)
		}
		turn := bot.NewTurn(bot.Parts{Type: e.Type, Raw: raw, Update: &telego.Update{UpdateID: 1}, Chat: e.Chat, User: e.User, Thread: e.Thread, API: w.API()})
		if err := compiled(t, r).Answer(t.Context(), turn); err != nil {
			t.Fatal(err)
		}
	}
	if !seen {
		t.Fatalf("%s %s: no turn", p.typ, p.payload)
	}
	return w
}

func TestFiltersAndAccessorsAgreeForEveryType(t *testing.T) {
	t.Parallel()
	missing := bot.AnyUpdate &^ bot.Unknown
	for _, p := range places() {
		missing &^= bot.TypeOf(p.typ)
		p.visit(t, func(_ context.Context, turn *bot.Turn) error {
			who := p.typ + " " + p.payload
			if turn.Chat() != p.chat || turn.User() != p.user || turn.Envelope().Chat != p.chat {
				t.Errorf("%s: chat %d, user %d, want %d and %d", who, turn.Chat(), turn.User(), p.chat, p.user)
			}
			if from := turn.From(); (from == nil) != (p.from == 0) && turn.Type() != bot.Unknown || from != nil && from.ID != p.from {
				t.Errorf("%s: from %v, want %d", who, from, p.from)
			}
			for _, kind := range []string{"private", "group", "supergroup", "channel"} {
				if got := passes(t, bot.ChatType(kind), turn); got != (kind == p.kind) {
					t.Errorf("%s: chat type %s passes: %v", who, kind, got)
				}
			}
			if passes(t, bot.InPrivate(), turn) != (p.kind == "private") || passes(t, bot.InGroup(), turn) != (p.kind == "supergroup") {
				t.Errorf("%s: InPrivate and InGroup do not agree with the chat", who)
			}
			if !passes(t, bot.InChat(p.chat), turn) || !passes(t, bot.FromUser(p.user), turn) {
				t.Errorf("%s: InChat and FromUser do not agree with Chat and User", who)
			}
			return nil
		})
	}
	if missing != 0 {
		t.Errorf("no row for %v", missing)
	}
}

func TestAnswerHasAPlaceForEveryTypeOrSaysWhatToUse(t *testing.T) {
	t.Parallel()
	for _, p := range places() {
		who, guest := p.typ+" "+p.payload, p.typ == "guest_message"
		var first, again, album error
		w := p.visit(t, func(ctx context.Context, t *bot.Turn) error {
			first = t.Answer(ctx, "hi")
			again = t.Reply(ctx, "hi")
			album = t.SendAlbum(ctx, &telego.InputMediaPhoto{Type: "photo", Media: telego.InputFile{FileID: "f"}})
			return nil
		})
		var no *bot.NoChatError
		for what, err := range map[string]error{"album": album, "second answer": again} {
			if refused := p.none || guest; refused != errors.Is(err, bot.ErrNoChat) || refused && (!errors.As(err, &no) || no.Type != p.typ || no.Use == "") {
				t.Errorf("%s: the %s says %v", who, what, err)
			}
		}
		if errors.Is(first, bot.ErrNoChat) != p.none {
			t.Errorf("%s: the answer says %v", who, first)
		}
		switch calls := w.Calls("sendMessage"); {
		case p.none || guest:
			if len(calls) > 0 {
				t.Errorf("%s: sent %s", who, calls[0].Params)
			}
		case len(calls) == 0:
			t.Errorf("%s: nothing is sent: %v", who, first)
		default:
			if diff := cmp.Diff(p.sent, paramsOf(t, calls[0])); diff != "" {
				t.Errorf("%s (-want +got):\n%s", who, diff)
			}
		}
		if answered := len(w.Calls("answerGuestQuery")) == 1; answered != guest || guest && first != nil {
			t.Errorf("%s: the guest gets %v, %v", who, w.Calls("answerGuestQuery"), first)
		}
	}
}

func TestAGuestIsAnsweredByItsQuery(t *testing.T) {
	t.Parallel()
	r := bot.New("r")
	r.On(bot.GuestMessage, bot.Say("<b>hi</b>", bot.HTML, bot.Inline(bot.Row(bot.Button("More", "more")))))
	w := bottest.New(t, r)
	guest := telego.Message{MessageID: 1, Chat: telego.Chat{ID: -5, Type: "group"}, From: &telego.User{ID: 6}, GuestQueryID: "g1", Text: "@test_bot hi"}
	w.Update(telego.Update{GuestMessage: &guest})
	got := lastCall(t, w, "answerGuestQuery")
	result, _ := got["result"].(map[string]any)
	content, _ := result["input_message_content"].(map[string]any)
	if got["guest_query_id"] != "g1" || content["message_text"] != "<b>hi</b>" || content["parse_mode"] != "HTML" || result["reply_markup"] == nil {
		t.Errorf("a guest is answered by %v", got)
	}
}

// A timer of a conversation in a guest chat or of a connection has nobody to write to.
func TestTimeoutsOutsideOfTheBotsChatsHaveNoPlace(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]bot.Parts{
		"guest":      {Type: "timeout", Chat: -5, User: 6, Guest: true},
		"connection": {Type: "timeout", User: 6, Business: "b1"},
	} {
		if err := bot.NewTurn(p).Answer(t.Context(), "hi"); !errors.Is(err, bot.ErrNoChat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAConversationThatAJoinRequestBeginsGoesOnInPrivate(t *testing.T) {
	t.Parallel()
	const asked bot.State = "join:asked"
	r := bot.New("r")
	var banned []int64
	r.Before(func(_ context.Context, e bot.Envelope) error { banned = append(banned, e.Chat); return nil })
	r.On(bot.ChatJoinRequest, func(ctx context.Context, t *bot.Turn) error {
		if err := t.SetState(ctx, asked); err != nil {
			return err
		}
		return t.Answer(ctx, "Why do you want to join?")
	}, bot.InGroup())
	r.Message(func(ctx context.Context, t *bot.Turn) error {
		if err := t.Clear(ctx); err != nil {
			return err
		}
		return t.Answer(ctx, "Thanks.")
	}, bot.InState(asked), bot.InPrivate())
	w := bottest.New(t, r)
	ann, g := w.Person("Ann"), w.Group("Team")
	w.Update(telego.Update{ChatJoinRequest: &telego.ChatJoinRequest{
		Chat: telego.Chat{ID: g.ID(), Type: "supergroup"}, From: telego.User{ID: ann.ID()}, UserChatID: ann.ID(), Date: 1,
	}})
	ann.Expect("Why do you want to join?")
	ann.ExpectState(asked)
	ann.In(g).ExpectState(bot.None)
	ann.Say("I like it")
	ann.Expect("Thanks.")
	ann.ExpectState(bot.None)
	if diff := cmp.Diff([]int64{g.ID(), ann.ID()}, banned); diff != "" {
		t.Errorf("gates see the chats (-want +got):\n%s", diff)
	}
}
