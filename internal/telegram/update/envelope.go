package update

import (
	"bytes"

	"github.com/chatlane/chatlane/internal/lane"
)

// Limits of what Peek reads.
const (
	MaxBody  = 1 << 20 // bytes
	MaxDepth = 128     // nested objects and arrays, the update itself included
)

// Envelope is what is known of an update before decoding: its type, chat and user.
//
// Updates without a chat, such as inline queries and payments, get the user's private chat, whose id is the
// user's. The user is the one that acted: the sender chat of an anonymous administrator or a channel (`from`
// is a stand-in there), and for a member's change its maker, not the member.
type Envelope struct {
	lane.Scope
	UpdateID int64
	Type     string // a name of Types, a newer one, or UnknownType
	Album    string // media group that a message is part of, else empty
}

// Peek reads the envelope in one pass, without decoding the update. A body that is badly encoded or has names
// twice takes a second pass, over a mended copy. Every error is ErrUnreadable with a Reason. It keeps nothing
// of body. Safe for concurrent use.
func Peek(bot int64, body []byte) (Envelope, error) {
	switch {
	case len(body) > MaxBody:
		return Envelope{}, unreadable(TooBig)
	case tooDeep(body):
		return Envelope{}, unreadable(TooDeep)
	}
	e, reason := walk(bot, body)
	if reason == NotJSON {
		if mended, ok := mend(body); ok {
			e, reason = walk(bot, mended)
		}
	}
	if reason != "" {
		return Envelope{}, unreadable(reason)
	}
	return e, nil
}

func walk(bot int64, body []byte) (Envelope, Reason) {
	w := borrowWalker(body)
	defer w.giveBack()
	return w.update(bot)
}

// tooDeep may count wrongly in a malformed document; the walk refuses those.
func tooDeep(body []byte) bool {
	depth := 0
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '{', '[':
			if depth++; depth > MaxDepth {
				return true
			}
		case '}', ']':
			depth--
		case '"':
			i += stringLen(body[i+1:])
		}
	}
	return false
}

func stringLen(b []byte) int {
	n := 0
	for {
		quote := bytes.IndexByte(b[n:], '"')
		if quote < 0 {
			return len(b)
		}
		slashes := 0
		for quote-slashes > 0 && b[n+quote-slashes-1] == '\\' {
			slashes++
		}
		n += quote + 1
		if slashes%2 == 0 {
			return n
		}
	}
}
