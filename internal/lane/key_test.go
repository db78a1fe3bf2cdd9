package lane_test

import (
	"strings"
	"testing"

	"github.com/chatlane/chatlane/internal/lane"
)

func TestKeyOfEachLaneChoice(t *testing.T) {
	group := lane.Scope{Bot: 42, Kind: lane.KindChat, Chat: -100, User: 7, Thread: 5}
	channel := lane.Scope{Bot: 42, Kind: lane.KindChat, Chat: -100}
	for _, tt := range []struct {
		name  string
		scope lane.Scope
		want  [4]lane.Key // chat, chat_topic, chat_user, user
	}{
		{"forum topic", group, [4]lane.Key{"42:c:-100", "42:c:-100:t:5", "42:c:-100:u:7", "42:u:7"}},
		{"channel, nobody acts", channel, [4]lane.Key{"42:c:-100", "42:c:-100", "42:c:-100", "42:c:-100"}},
		{"no chat: the private chat", lane.Scope{Bot: 42, Kind: lane.KindChat, User: 7}, [4]lane.Key{"42:c:7", "42:c:7", "42:c:7:u:7", "42:u:7"}},
		{"business", lane.Scope{Bot: 42, Kind: lane.KindBusiness, ID: "Ab_-9", Chat: 3}, [4]lane.Key{"42:b:Ab_-9", "42:b:Ab_-9", "42:b:Ab_-9", "42:b:Ab_-9"}},
		{"guest", lane.Scope{Bot: 42, Kind: lane.KindGuest, Chat: 3, User: 4}, [4]lane.Key{"42:g:3", "42:g:3", "42:g:3:u:4", "42:u:4"}},
		{"poll", lane.Scope{Bot: 42, Kind: lane.KindPoll, ID: "998"}, [4]lane.Key{"42:p:998", "42:p:998", "42:p:998", "42:p:998"}},
		{"nothing known", lane.Scope{}, [4]lane.Key{"0:x:0", "0:x:0", "0:x:0", "0:x:0"}},
	} {
		for by, want := range tt.want {
			if got := lane.By(by).Key(tt.scope); got != want {
				t.Errorf("%s by %s: %q, want %q", tt.name, lane.By(by), got, want)
			}
		}
	}
}

func TestKeyIsSafeAsSubjectAndTag(t *testing.T) {
	for _, id := range []string{"a.b", "a b", "a*", ">", "{x}", "é", strings.Repeat("x", 65), "a:b"} {
		k := string(lane.ByChat.Key(lane.Scope{Bot: 1, Kind: lane.KindPoll, ID: id}))
		if strings.ContainsAny(k, ".*> {}\r\n") || len(k) > 80 || strings.Count(k, ":") != 2 {
			t.Errorf("id %q gives key %q", id, k)
		}
	}
}

func TestParseByKnowsEachName(t *testing.T) {
	for i, name := range lane.Names() {
		by, err := lane.ParseBy(name)
		if err != nil || by != lane.By(i) || by.String() != name {
			t.Errorf("ParseBy(%q) = %v, %v", name, by, err)
		}
	}
	if _, err := lane.ParseBy("chats"); err == nil {
		t.Error("ParseBy took a name that is none")
	}
}

func TestScopeOfAKeyGivesTheKeyAgain(t *testing.T) {
	for _, s := range []lane.Scope{
		{Bot: 42, Kind: lane.KindChat, Chat: -100, User: 7, Thread: 5},
		{Bot: 42, Kind: lane.KindChat, Chat: 7, User: 7},
		{Bot: 42, Kind: lane.KindBusiness, ID: "a.b", Chat: 3, User: 4},
		{Bot: 42, Kind: lane.KindGuest, Chat: 3, User: 4},
		{Bot: 42, Kind: lane.KindPoll, ID: "998"},
	} {
		for i := range lane.Names() {
			k := lane.By(i).Key(s)
			if back, ok := k.Scope(); !ok || lane.By(i).Key(back) != k || !strings.HasPrefix(string(k), back.Home()) && i != int(lane.ByUser) {
				t.Errorf("%s names %+v, %v", k, back, ok)
			}
		}
	}
	for _, k := range []lane.Key{"", "42", "42:c", "42:c:", "42:c:x", "x:c:1", "42:z:1", "42:c:1:t", "42:c:1:z:1", "42:c:1:u:x", "42:c:1:2:3:4"} {
		if s, ok := k.Scope(); ok {
			t.Errorf("%q names %+v", k, s)
		}
	}
}
