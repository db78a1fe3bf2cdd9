package simulator

import (
	"encoding/json"
	"strconv"
	"time"
)

type probe struct {
	ID            json.RawMessage `json:"id"`
	Date          int64           `json:"date"`
	Chat          *ChatInfo       `json:"chat"`
	From          *User           `json:"from"`
	User          json.RawMessage `json:"user"`
	Message       *inMessage      `json:"message"`
	NewChatMember *struct {
		User User `json:"user"`
	} `json:"new_chat_member"`
	PollID string `json:"poll_id"`
	Boost  *struct {
		Date int64 `json:"add_date"`
	} `json:"boost"`
	RemoveDate int64 `json:"remove_date"`
}

func probeOf(payload json.RawMessage) probe {
	var p probe
	_ = json.Unmarshal(payload, &p) // what cannot be read stays empty: a queue of its own
	return p
}

type inMessage struct {
	Chat *ChatInfo `json:"chat"`
}

func (m *inMessage) chat() *ChatInfo {
	if m == nil {
		return nil
	}
	return m.Chat
}

func (p *probe) id() string {
	var s string
	if json.Unmarshal(p.ID, &s) != nil {
		return ""
	}
	return s
}

func (p *probe) chatID() int64 {
	if p.Chat == nil {
		return 0
	}
	return p.Chat.ID
}

func (p *probe) userID() int64 {
	if p.From != nil {
		return p.From.ID
	}
	var u User
	if json.Unmarshal(p.User, &u) != nil {
		return 0
	}
	return u.ID
}

func (p *probe) subjectID() int64 {
	if p.NewChatMember != nil {
		return p.NewChatMember.User.ID
	}
	return p.userID()
}

func (p *probe) since(now time.Time) time.Time {
	date := max(p.Date, p.RemoveDate)
	if p.Boost != nil {
		date = max(date, p.Boost.Date)
	}
	if date == 0 {
		return now
	}
	return time.Unix(date, 0)
}

const (
	queueKind = 1 << 33 // Telegram's step between the queues of the kinds
	ownQueue  = 1 << 60 // added to the update's id: a queue of its own
	day       = 24 * time.Hour
)

func route(updateType string, p *probe, updateID int64, now time.Time) (queue int64, expires time.Time) {
	dayOn, dayFromNow := p.since(now).Add(day), now.Add(day)
	switch updateType {
	case "message", "edited_message", "channel_post", "edited_channel_post":
		return p.chatID(), dayOn
	case "inline_query":
		return p.userID() + queueKind, now.Add(30 * time.Second)
	case "chosen_inline_result":
		return p.userID() + 2*queueKind, now.Add(600 * time.Second)
	case "callback_query":
		return p.userID() + 3*queueKind, now.Add(150 * time.Second)
	case "shipping_query", "pre_checkout_query":
		return p.userID() + 4*queueKind, now.Add(150 * time.Second)
	case "my_chat_member":
		return p.chatID() + 5*queueKind, dayOn
	case "chat_member", "chat_join_request":
		return p.subjectID() + 6*queueKind, dayOn
	case "chat_boost", "removed_chat_boost":
		return p.chatID() + 7*queueKind, dayOn
	case "message_reaction":
		return p.chatID() + 8*queueKind, dayOn
	case "message_reaction_count":
		return p.chatID() + 9*queueKind, dayOn
	case "business_connection":
		return p.userID() + 10*queueKind, dayFromNow
	case "business_message", "edited_business_message", "deleted_business_messages":
		return p.chatID() + 11*queueKind, dayFromNow
	case "guest_message":
		return p.chatID() + 12*queueKind, dayOn
	case "purchased_paid_media":
		return p.userID() + 12*queueKind, dayFromNow
	case "managed_bot":
		return p.userID() + 13*queueKind, dayFromNow
	case "poll":
		return pollQueue(p.id(), updateID), dayFromNow
	case "poll_answer":
		return pollQueue(p.PollID, updateID), dayFromNow
	}
	return ownQueue + updateID, dayFromNow
}

func pollQueue(id string, updateID int64) int64 {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return ownQueue + updateID
	}
	return n
}

// answerTime is how long a query of that type may be answered; 0: it is no query.
func answerTime(updateType string) time.Duration {
	switch updateType {
	case "callback_query":
		return 15 * time.Minute
	case "inline_query":
		return 30 * time.Second
	case "pre_checkout_query", "shipping_query":
		return 10 * time.Second
	case "widget_query", "shared_widget_query":
		return 15 * time.Second
	}
	return 0
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
