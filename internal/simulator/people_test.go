package simulator_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chatlane/chatlane/internal/simulator"
	"github.com/chatlane/chatlane/internal/simulator/simtest"
)

// everything allows all types that these tests push, also those that the default leaves out.
var everything = []string{
	"message", "edited_message", "channel_post", "edited_channel_post", "callback_query", "inline_query", "my_chat_member",
	"chat_member", "message_reaction", "pre_checkout_query", "poll", "made_up",
}

// updates returns the fields of each update that getUpdates gives.
func updates(t *testing.T, tg *simulator.Telegram) []map[string]json.RawMessage {
	t.Helper()
	a, _ := call(t, simtest.Serve(t, tg), simulator.Token, "getUpdates", nil)
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

func TestUnrequestedTypesAreNotDelivered(t *testing.T) {
	tg := simulator.New(simulator.Config{})
	tg.Group(-5, "Friends").Join(tg.Person(1, "Ann"))
	tg.Group(-5, "Friends").React(tg.Person(1, "Ann"), 1, "👍")
	if n := tg.Pending(); n != 1 {
		t.Errorf("%d pending, want the service message only", n)
	}
}

func TestBotsAreIsolated(t *testing.T) {
	tg := simulator.New(simulator.Config{More: []simulator.BotConfig{{Token: "77:second"}}})
	base := simtest.Serve(t, tg)
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
