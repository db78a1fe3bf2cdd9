package fsm_test

import (
	"strings"
	"testing"

	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/lane"
)

func TestKeyOfEachStrategy(t *testing.T) {
	for _, tt := range []struct {
		name  string
		scope lane.Scope
		want  [5]string // user_in_chat, chat, global_user, user_in_topic, chat_topic
		home  string
	}{
		{
			"topic of a group",
			lane.Scope{Bot: 42, Kind: lane.KindChat, Chat: -100, User: 7, Thread: 5},
			[5]string{"42:c:-100:u:7", "42:c:-100", "42:u:7", "42:c:-100:t:5:u:7", "42:c:-100:t:5"},
			"42:c:-100",
		},
		{
			"group without topics",
			lane.Scope{Bot: 42, Kind: lane.KindChat, Chat: -100, User: 7},
			[5]string{"42:c:-100:u:7", "42:c:-100", "42:u:7", "42:c:-100:u:7", "42:c:-100"},
			"42:c:-100",
		},
		{
			"private chat",
			lane.Scope{Bot: 42, Kind: lane.KindChat, Chat: 7, User: 7},
			[5]string{"42:c:7:u:7", "42:c:7", "42:u:7", "42:c:7:u:7", "42:c:7"},
			"42:c:7",
		},
		{
			"no chat: the private chat",
			lane.Scope{Bot: 42, Kind: lane.KindChat, User: 7},
			[5]string{"42:c:7:u:7", "42:c:7", "42:u:7", "42:c:7:u:7", "42:c:7"},
			"42:c:7",
		},
		{
			"channel, nobody acts",
			lane.Scope{Bot: 42, Kind: lane.KindChat, Chat: -100, Thread: 5},
			[5]string{"", "42:c:-100", "", "", "42:c:-100:t:5"},
			"42:c:-100",
		},
		{
			"business chat",
			lane.Scope{Bot: 42, Kind: lane.KindBusiness, ID: "Ab_-9", Chat: 3, User: 3},
			[5]string{"42:b:Ab_-9:3:u:3", "42:b:Ab_-9:3", "42:b:Ab_-9:u:3", "42:b:Ab_-9:3:u:3", "42:b:Ab_-9:3"},
			"42:b:Ab_-9",
		},
		{
			"guest chat",
			lane.Scope{Bot: 42, Kind: lane.KindGuest, Chat: 3, User: 4},
			[5]string{"42:g:3:u:4", "42:g:3", "42:u:4", "42:g:3:u:4", "42:g:3"},
			"42:g:3",
		},
		{"poll", lane.Scope{Bot: 42, Kind: lane.KindPoll, ID: "998", User: 7}, [5]string{}, ""},
		{"nothing known", lane.Scope{Bot: 42, Kind: lane.KindOther, ID: "1"}, [5]string{}, ""},
		{"nobody and nowhere", lane.Scope{Bot: 42, Kind: lane.KindChat}, [5]string{}, ""},
	} {
		for i, want := range tt.want {
			s := fsm.Strategy(i)
			key, home := s.Key(tt.scope)
			if key != want {
				t.Errorf("%s, %s: %q, want %q", tt.name, s, key, want)
			}
			wantHome := tt.home
			switch {
			case want == "":
				wantHome = ""
			case s == fsm.GlobalUser && tt.scope.Kind != lane.KindBusiness:
				wantHome = want
			}
			if home != wantHome {
				t.Errorf("%s, %s: home %q, want %q", tt.name, s, home, wantHome)
			}
		}
	}
}

func TestParseStrategyKnowsEachName(t *testing.T) {
	for i, name := range fsm.Strategies() {
		s, err := fsm.ParseStrategy(name)
		if err != nil || s != fsm.Strategy(i) || s.String() != name {
			t.Errorf("ParseStrategy(%q) = %v, %v", name, s, err)
		}
	}
	if _, err := fsm.ParseStrategy("user"); err == nil {
		t.Error("ParseStrategy took a name that is none")
	}
}

// scopes is every scope of a small world.
func scopes() []lane.Scope {
	var all []lane.Scope
	for _, kind := range "cbgpx" {
		for _, id := range []string{"", "one", "two", "{odd}:" + strings.Repeat("x", 70)} {
			for _, chat := range []int64{0, 7, 8, -100} {
				for _, user := range []int64{0, 7, 8} {
					for _, thread := range []int64{0, 1, 2} {
						all = append(all, lane.Scope{Bot: 42, Kind: lane.Kind(kind), ID: id, Chat: chat, User: user, Thread: thread})
					}
				}
			}
		}
	}
	return all
}

func TestContainedStatesAreTouchedByOneLane(t *testing.T) {
	for by := lane.ByChat; by <= lane.ByUser; by++ {
		for i, strategy := range fsm.Strategies() {
			lanes := make(map[string]lane.Key)
			spread := ""
			for _, s := range scopes() {
				key, _ := fsm.Strategy(i).Key(s)
				if key == "" {
					continue
				}
				k := by.Key(s)
				if other, known := lanes[key]; known && other != k {
					spread = key + " by " + string(k) + " and " + string(other)
				}
				lanes[key] = k
			}
			if got := fsm.Contained(by, fsm.Strategy(i)); got != (spread == "") {
				t.Errorf("lanes by %s, states by %s: contained %v, but touched: %q", by, strategy, got, spread)
			}
		}
	}
	if fsm.Contained(lane.ByUser+1, fsm.UserInChat) {
		t.Error("a state is contained in unknown lanes")
	}
}

func TestStatesShareTheHomeOfTheirChat(t *testing.T) {
	for i, strategy := range fsm.Strategies() {
		for _, s := range scopes() {
			key, home := fsm.Strategy(i).Key(s)
			switch {
			case key == "":
			case !strings.HasPrefix(key, home):
				t.Errorf("%s: key %q without its home %q", strategy, key, home)
			case home != s.Home() && (fsm.Strategy(i) != fsm.GlobalUser || s.Kind == lane.KindBusiness):
				t.Errorf("%s: home %q, the chat's is %q", strategy, home, s.Home())
			}
		}
	}
}

func TestDifferentScopesHaveDifferentStates(t *testing.T) {
	kept := make(map[string]lane.Scope)
	for _, s := range scopes() {
		key, _ := fsm.UserInTopic.Key(s)
		if key == "" {
			continue
		}
		if s.Chat == 0 {
			s.Chat = s.User
		}
		if s.Kind != lane.KindBusiness {
			s.ID = "" // no part of such chats
		}
		if other, known := kept[key]; known && other != s {
			t.Errorf("key %q stands for %+v and %+v", key, s, other)
		}
		kept[key] = s
	}
}
