package fsm

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/chatlane/chatlane/internal/lane"
)

// Strategy says which updates share a conversation.
type Strategy uint8

// The strategies, aiogram's five.
const (
	UserInChat  Strategy = iota // each user in each chat
	Chat                        // all of a chat together
	GlobalUser                  // each user in all chats
	UserInTopic                 // each user in each forum topic
	ChatTopic                   // all of a forum topic together
)

// Strategies lists the names in the order of their values.
func Strategies() []string {
	return []string{"user_in_chat", "chat", "global_user", "user_in_topic", "chat_topic"}
}

// ParseStrategy reads the name of a strategy.
func ParseStrategy(name string) (Strategy, error) {
	for i, n := range Strategies() {
		if n == name {
			return Strategy(i), nil
		}
	}
	return 0, fmt.Errorf("strategy %q: want one of %s", name, strings.Join(Strategies(), ", "))
}

func (s Strategy) String() string {
	if int(s) < len(Strategies()) {
		return Strategies()[s]
	}
	return "unknown"
}

// Key names the state of an update, and its home: the hash tag of the chat's records. Both are
// empty for an update without conversation. A missing chat is the user's private chat. An update
// without a user has a state only under Chat and ChatTopic. A business connection's chats are
// separate from the bot's, under GlobalUser too: a customer there talks to the business.
func (s Strategy) Key(at lane.Scope) (key, home string) {
	ofChat := s == Chat || s == ChatTopic
	chat := cmp.Or(at.Chat, at.User)
	if chat == 0 || (at.User == 0 && !ofChat) {
		return "", ""
	}
	b := make([]byte, 0, 64)
	switch at.Kind {
	case lane.KindChat, lane.KindGuest:
		if s == GlobalUser {
			b = strconv.AppendInt(b, at.Bot, 10)
			break
		}
		home = at.Home()
		b = append(b, home...)
	case lane.KindBusiness:
		home = at.Home()
		b = append(b, home...)
		if s != GlobalUser {
			b = append(b, ':')
			b = strconv.AppendInt(b, chat, 10)
		}
	default:
		return "", ""
	}
	if at.Thread != 0 && (s == UserInTopic || s == ChatTopic) {
		b = append(b, ":t:"...)
		b = strconv.AppendInt(b, at.Thread, 10)
	}
	if !ofChat {
		b = append(b, ":u:"...)
		b = strconv.AppendInt(b, at.User, 10)
	}
	key = string(b)
	return key, cmp.Or(home, key)
}

// Contained reports whether all updates of one state are in one lane; otherwise the state needs its own lock.
func Contained(by lane.By, s Strategy) bool {
	switch by {
	case lane.ByChat:
		return s != GlobalUser
	case lane.ByChatTopic:
		return s == UserInTopic || s == ChatTopic
	case lane.ByChatUser:
		return s == UserInChat || s == UserInTopic
	case lane.ByUser:
		return s == UserInChat || s == UserInTopic || s == GlobalUser
	}
	return false
}
