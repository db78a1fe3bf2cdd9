// Package lane gives every update a key, whatever its type ([By.Key]), and runs one job per key at a
// time, in the order of submission ([Executor]). A lane is the ordered series of updates with one key.
package lane

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// Key names a lane: "<bot>:<kind>:<id>[:t:<thread>|:u:<user>]", safe as a NATS token and as a Redis hash tag.
type Key string

// Bot is the bot id in front of the key; 0 if there is none.
func (k Key) Bot() int64 {
	bot, _, _ := strings.Cut(string(k), ":")
	id, err := strconv.ParseInt(bot, 10, 64)
	if err != nil {
		return 0
	}
	return id
}

// Scope is the scope that the key names. What the key does not say is absent: the user of a chat
// of several people, chat and user behind a business connection. It is false for a text that is
// no key.
func (k Key) Scope() (s Scope, ok bool) {
	part := strings.Split(string(k), ":")
	if len(part) != 3 && len(part) != 5 || len(part[1]) != 1 || part[2] == "" {
		return s, false
	}
	var err [3]error
	s.Bot, err[0] = strconv.ParseInt(part[0], 10, 64)
	switch s.Kind = Kind(part[1][0]); s.Kind {
	case KindChat, KindGuest:
		s.Chat, err[1] = strconv.ParseInt(part[2], 10, 64)
	case 'u':
		s.Kind = KindChat
		s.User, err[1] = strconv.ParseInt(part[2], 10, 64)
	case KindBusiness, KindPoll, KindOther:
		s.ID = part[2]
	default:
		return s, false
	}
	if len(part) == 5 {
		var id int64
		id, err[2] = strconv.ParseInt(part[4], 10, 64)
		switch part[3] {
		case "t":
			s.Thread = id
		case "u":
			s.User = id
		default:
			return s, false
		}
	}
	return s, s.Bot > 0 && errors.Join(err[:]...) == nil
}

// Kind is the namespace of a chat: chats of different kinds may have the same id.
type Kind byte

const (
	KindChat     Kind = 'c' // a chat of the bot; else the user's private chat
	KindBusiness Kind = 'b' // chats of a business account, by connection
	KindGuest    Kind = 'g' // a chat that the bot is a guest of
	KindPoll     Kind = 'p' // a poll, which has neither chat nor user
	KindOther    Kind = 'x' // nothing to go by but the update itself
)

// Scope is where an update belongs. Zero ids are absent.
type Scope struct {
	Bot    int64
	Kind   Kind
	Chat   int64  // absent for KindPoll, KindOther and a bare business connection
	User   int64  // the acting one; absent in channels and for anonymous senders
	Thread int64  // forum topic, or topic of a channel's direct messages
	ID     string // business connection, poll or update id, for kinds without a chat
}

// By chooses what one lane is made of.
type By uint8

// The lane keys that can be configured.
const (
	ByChat By = iota
	ByChatTopic
	ByChatUser
	ByUser
)

// Names lists the configurable lane keys in the order of their values.
func Names() []string { return []string{"chat", "chat_topic", "chat_user", "user"} }

// ParseBy reads the name of a lane key.
func ParseBy(name string) (By, error) {
	for i, n := range Names() {
		if n == name {
			return By(i), nil
		}
	}
	return 0, fmt.Errorf("lane key %q: want one of %s", name, strings.Join(Names(), ", "))
}

func (by By) String() string {
	if int(by) < len(Names()) {
		return Names()[by]
	}
	return "unknown"
}

// Key is the lane of an update. Every scope has one.
func (by By) Key(s Scope) Key {
	b := make([]byte, 0, 48)
	if by == ByUser && s.User != 0 {
		b = strconv.AppendInt(b, s.Bot, 10)
		b = append(b, ":u:"...)
		return Key(strconv.AppendInt(b, s.User, 10))
	}
	b = s.appendChat(b)
	switch {
	case by == ByChatTopic && s.Thread != 0:
		b = append(b, ":t:"...)
		b = strconv.AppendInt(b, s.Thread, 10)
	case by == ByChatUser && s.User != 0:
		b = append(b, ":u:"...)
		b = strconv.AppendInt(b, s.User, 10)
	}
	return Key(b)
}

// Home is the lane key by chat, whatever is configured: all keys of one chat share a slot of a cluster.
func (s Scope) Home() string { return string(s.appendChat(make([]byte, 0, 32))) }

// appendChat writes "<bot>:<kind>:<id>".
func (s Scope) appendChat(b []byte) []byte {
	kind := s.Kind
	if kind == 0 {
		kind = KindOther
	}
	b = strconv.AppendInt(b, s.Bot, 10)
	b = append(b, ':', byte(kind), ':')
	switch kind {
	case KindChat, KindGuest:
		id := s.Chat
		if id == 0 {
			id = s.User
		}
		return strconv.AppendInt(b, id, 10)
	default:
		return append(b, token(s.ID)...)
	}
}

// token makes an id of Telegram's safe in a subject and a key.
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
