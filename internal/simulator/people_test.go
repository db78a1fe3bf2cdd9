package simulator_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatlane/chatlane/internal/simulator"
)

// everything is all types of updates but the newest, so that none is left out.
var everything = []string{
	"message", "edited_message", "channel_post", "edited_channel_post", "callback_query", "inline_query", "my_chat_member",
	"chat_member", "message_reaction", "pre_checkout_query", "poll", "made_up",
}

// updates are those that getUpdates gives, by their fields.
func updates(t *testing.T, tg *simulator.Telegram) []map[string]json.RawMessage {
	t.Helper()
	a, _ := call(t, serve(t, tg), simulator.Token, "getUpdates", nil)
	var out []map[string]json.RawMessage
	if err := json.Unmarshal(a.Result, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func polled() *simulator.Telegram {
	return simulator.New(simulator.Config{Webhook: simulator.WebhookConfig{AllowedUpdates: everything}})
}

func TestPeopleMakeUpdatesOfTheRightType(t *testing.T) {
	tg := polled()
	ann, group := tg.Person(1, "Ann"), tg.Group(-100, "Friends")
	forum, channel := tg.First().Forum(-1_000_000_000_007, "Forum"), tg.First().Channel(-1_000_000_000_008, "News")
	ann.Say("/start now")
	m := ann.Say("helo")
	ann.Edit(m.ID, "hello")
	ann.Press(m.ID, "data")
	ann.Inline("cats")
	ann.Pay("cart", 3)
	group.Say(ann, "hi all")
	group.Say(nil, "from an anonymous admin")
	group.Join(ann)
	group.React(ann, 1, "👍")
	forum.Topic(17).Say(ann, "in the topic")
	post := channel.Say(nil, "news")
	channel.Edit(post.ID, "newer")
	ann.Block()
	tg.Push("made_up", object{"chat": object{"id": 9}})
	var types []string
	seen := updates(t, tg)
	for i, u := range seen {
		for name := range u {
			if name != "update_id" {
				types = append(types, name)
			}
		}
		if i > 0 && string(u["update_id"]) <= string(seen[i-1]["update_id"]) {
			t.Errorf("update ids: %s after %s", u["update_id"], seen[i-1]["update_id"])
		}
	}
	want := []string{
		"message", "message", "edited_message", "callback_query", "inline_query", "pre_checkout_query",
		"message", "message", "message", "chat_member", "message_reaction", "message",
		"channel_post", "edited_channel_post", "my_chat_member", "made_up",
	}
	if d := cmp.Diff(want, types); d != "" {
		t.Error(d)
	}
	for i, part := range map[int]string{
		0:  `"entities":[{"type":"bot_command","offset":0,"length":6}]`,
		2:  `"edit_date":`,
		3:  `"message":{"message_id":2,`,
		7:  `"sender_chat":{"id":-100,"type":"group","title":"Friends"}`,
		9:  `"new_chat_member":{"status":"member","user":{"id":1,`,
		11: `"message_thread_id":17,`,
		14: `"new_chat_member":{"status":"kicked","user":{"id":424242,`,
	} {
		if body := string(seen[i][types[i]]); !strings.Contains(body, part) {
			t.Errorf("%s: no %s in %s", types[i], part, body)
		}
	}
}

func TestMigrationTellsBothChats(t *testing.T) {
	tg := polled()
	old := tg.Group(-5, "Friends")
	now := old.Migrate(-1_000_000_000_005)
	if now.ID() != -1_000_000_000_005 {
		t.Errorf("id %d", now.ID())
	}
	seen := updates(t, tg)
	if len(seen) != 2 || !strings.Contains(string(seen[0]["message"]), `"migrate_to_chat_id":-1000000000005`) ||
		!strings.Contains(string(seen[1]["message"]), `"migrate_from_chat_id":-5`) {
		t.Errorf("updates: %s", seen)
	}
}

func TestTypesThatWereNotAskedForStayOut(t *testing.T) {
	tg := simulator.New(simulator.Config{})
	tg.Group(-5, "Friends").Join(tg.Person(1, "Ann"))
	tg.Group(-5, "Friends").React(tg.Person(1, "Ann"), 1, "👍")
	if n := tg.Pending(); n != 1 {
		t.Errorf("%d pending, want the service message only", n)
	}
}

func TestBotsLiveApart(t *testing.T) {
	tg := simulator.New(simulator.Config{More: []simulator.BotConfig{{Token: "77:second"}}})
	base := serve(t, tg)
	tg.Bot(77).Person(1, "Ann").Say("to the second")
	if a, _ := call(t, base, simulator.Token, "sendMessage", object{"chat_id": 1, "text": "hi"}); a.Description != "Bad Request: chat not found" {
		t.Errorf("the first bot: %+v", a)
	}
	if a, _ := call(t, base, "77:second", "sendMessage", object{"chat_id": 1, "text": "hi"}); !a.OK {
		t.Errorf("the second bot: %+v", a)
	}
	if tg.First().Pending() != 0 || tg.Bot(77).Pending() != 1 {
		t.Error("the update went astray")
	}
}

// tallyBot answers as the bundled bot's /tally does, with what goes wrong on top.
func tallyBot(t *testing.T, base func() string, wrong func(chat int64, k int, text string) []string) *httptest.Server {
	t.Helper()
	var mu sync.Mutex
	count := map[int64]int{}
	bot := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var u struct {
			Message struct {
				Text string
				Chat struct{ ID int64 }
			}
		}
		body, _ := io.ReadAll(r.Body)
		_ = json.Unmarshal(body, &u)
		chat := u.Message.Chat.ID
		if u.Message.Text == "/tally" {
			say(t, base(), chat, "Counting")
			return
		}
		mu.Lock()
		count[chat]++
		k := count[chat]
		mu.Unlock()
		for _, text := range wrong(chat, k, u.Message.Text) {
			say(t, base(), chat, text)
		}
	}))
	t.Cleanup(bot.Close)
	return bot
}

func say(t *testing.T, base string, chat int64, text string) {
	t.Helper()
	call(t, base, simulator.Token, "sendMessage", object{"chat_id": chat, "text": text})
}

func TestTallyAddsUp(t *testing.T) {
	numbered := func(k int, text string) string { return string(rune('0'+k)) + ". " + text }
	var base string
	bot := tallyBot(t, func() string { return base }, func(chat int64, k int, text string) []string {
		switch {
		case chat == 11 && k == 2: // lost
			return nil
		case chat == 12 && k == 3: // twice
			return []string{numbered(k, text), numbered(k, text)}
		case chat == 13 && k == 1: // late
			return nil
		case chat == 13 && k == 2:
			return []string{numbered(2, text), numbered(1, "text 1")}
		case chat == 14 && k == 2: // wrong
			return []string{numbered(2, "text 3")}
		}
		return []string{numbered(k, text)}
	})
	tg := simulator.New(simulator.Config{Webhook: simulator.WebhookConfig{URL: bot.URL}})
	base = serve(t, tg)
	good, err := tg.Tally(within(t, 20*time.Second), simulator.TallyConfig{First: 20, Chats: 10, Texts: 5})
	if err != nil || !good.Clean() || good.Replies != 60 || good.Max == 0 {
		t.Errorf("%v, %v", err, good)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	bad, err := tg.Tally(ctx, simulator.TallyConfig{First: 10, Chats: 6, Texts: 4})
	if err == nil {
		t.Error("the lost reply was not waited for")
	}
	got := [4]int{bad.Lost, bad.Repeated, bad.Disordered, bad.Excused + bad.Window}
	if want := [4]int{2, 1, 2, 0}; got != want {
		t.Errorf("lost, repeated, disordered, excused: %v; %v", got, bad)
	}
	if r := tg.CheckTally(20, 10, 5); !r.Clean() || r.Replies != 60 {
		t.Errorf("checked later: %v", r)
	}
}

func TestTallyExcusesARepeatWhoseFirstCallerWasGone(t *testing.T) {
	var base string
	bot := tallyBot(t, func() string { return base }, func(chat int64, k int, text string) []string {
		text = string(rune('0'+k)) + ". " + text
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		body := `{"chat_id":` + string(rune('0'+chat)) + `,"text":"` + text + `"}`
		req, _ := http.NewRequestWithContext(ctx, http.MethodPost, base+"/bot"+simulator.Token+"/sendMessage", strings.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		if resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req); err == nil {
			_ = resp.Body.Close()
			return nil
		}
		return []string{text}
	})
	tg := simulator.New(simulator.Config{Webhook: simulator.WebhookConfig{URL: bot.URL}})
	tg.FaultRules(
		simulator.Rule{Method: "sendMessage", Skip: 2, Times: 1, Fault: simulator.Fault{LoseAnswer: true}},
		simulator.Rule{Method: "sendMessage", Skip: 4, Times: 1, Fault: simulator.Fault{Withhold: 5 * time.Second}},
	)
	base = serve(t, tg)
	r, err := tg.Tally(within(t, 20*time.Second), simulator.TallyConfig{First: 1, Chats: 3, Texts: 5})
	if err != nil || !r.Clean() || r.Excused != 6 {
		t.Errorf("%v, %v %v", err, r, r.Details)
	}
}
