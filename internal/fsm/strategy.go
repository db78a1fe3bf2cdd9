package fsm

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
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

// Place is where an update belongs. Zero ids are absent.
type Place struct {
	Bot    int64
	Kind   byte // 'c' chat, 'b' business connection, 'g' guest chat, 'p' poll, 'x' other
	Chat   int64
	User   int64
	Thread int64
	ID     string // business connection
}

// Key names the state of an update, and its home: the hash tag that the records of
// one chat share. Both are empty where the update belongs to no conversation. A
// missing chat is the user's private chat. Without a user only a chat's own state
// is left. Chats of a business connection are apart from the bot's own, for
// GlobalUser too: who writes there talks to the business, not to the bot.
func (s Strategy) Key(p Place) (key, home string) {
	chat := p.Chat
	if chat == 0 {
		chat = p.User
	}
	ofChat := s == Chat || s == ChatTopic
	if chat == 0 || (p.User == 0 && !ofChat) {
		return "", ""
	}
	b := strconv.AppendInt(make([]byte, 0, 64), p.Bot, 10)
	switch p.Kind {
	case 'c', 'g':
		if s == GlobalUser {
			break
		}
		b = append(b, ':', p.Kind, ':')
		b = strconv.AppendInt(b, chat, 10)
		home = string(b)
	case 'b':
		b = append(b, ":b:"...)
		b = append(b, token(p.ID)...)
		home = string(b)
		if s != GlobalUser {
			b = append(b, ':')
			b = strconv.AppendInt(b, chat, 10)
		}
	default:
		return "", ""
	}
	if p.Thread != 0 && (s == UserInTopic || s == ChatTopic) {
		b = append(b, ":t:"...)
		b = strconv.AppendInt(b, p.Thread, 10)
	}
	if !ofChat {
		b = append(b, ":u:"...)
		b = strconv.AppendInt(b, p.User, 10)
	}
	if home == "" {
		home = string(b)
	}
	return string(b), home
}

// Contained says whether all updates that touch one state are in one lane, lane
// being the lane key's name: chat, chat_topic, chat_user or user. Where they are
// not, the state is shared and needs a lock of its own.
func Contained(lane string, s Strategy) bool {
	switch lane {
	case "chat":
		return s != GlobalUser
	case "chat_topic":
		return s == UserInTopic || s == ChatTopic
	case "chat_user":
		return s == UserInChat || s == UserInTopic
	case "user":
		return s == UserInChat || s == UserInTopic || s == GlobalUser
	}
	return false
}

// token makes a connection id safe in a key, exactly as lane keys do, so that a
// state finds its lane's home.
func token(id string) string {
	if id == "" {
		return "0"
	}
	if len(id) <= 64 && strings.IndexFunc(id, unsafe) < 0 {
		return id
	}
	var sum [8]byte
	h := xxhash.Sum64String(id)
	for i := range sum {
		sum[i] = byte(h >> (56 - 8*i))
	}
	return "h" + hex.EncodeToString(sum[:])
}

func unsafe(r rune) bool {
	switch {
	case r >= '0' && r <= '9', r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r == '-', r == '_':
		return false
	}
	return true
}
