package bottest

import "github.com/mymmrac/telego"

// scope is where an update belongs, and the name of its type.
type scope struct {
	name               string
	chat, user, thread int64
	business           string
}

// scopeOf reads the envelope of an update.
func scopeOf(u *telego.Update) scope {
	for _, s := range [...]scope{
		ofMessage("message", u.Message), ofMessage("edited_message", u.EditedMessage),
		ofMessage("channel_post", u.ChannelPost), ofMessage("edited_channel_post", u.EditedChannelPost),
		ofMessage("business_message", u.BusinessMessage),
		ofMessage("edited_business_message", u.EditedBusinessMessage),
		ofMessage("guest_message", u.GuestMessage),
	} {
		if s.name != "" {
			return s
		}
	}
	switch {
	case u.CallbackQuery != nil:
		return ofQuery(u.CallbackQuery)
	case u.MyChatMember != nil:
		return scope{name: "my_chat_member", chat: u.MyChatMember.Chat.ID, user: u.MyChatMember.From.ID}
	case u.ChatMember != nil:
		return scope{name: "chat_member", chat: u.ChatMember.Chat.ID, user: u.ChatMember.From.ID}
	case u.ChatJoinRequest != nil:
		return scope{name: "chat_join_request", chat: u.ChatJoinRequest.Chat.ID, user: u.ChatJoinRequest.From.ID}
	case u.InlineQuery != nil:
		return scope{name: "inline_query", user: u.InlineQuery.From.ID}
	case u.ChosenInlineResult != nil:
		return scope{name: "chosen_inline_result", user: u.ChosenInlineResult.From.ID}
	case u.ShippingQuery != nil:
		return scope{name: "shipping_query", user: u.ShippingQuery.From.ID}
	case u.PreCheckoutQuery != nil:
		return scope{name: "pre_checkout_query", user: u.PreCheckoutQuery.From.ID}
	case u.PurchasedPaidMedia != nil:
		return scope{name: "purchased_paid_media", user: u.PurchasedPaidMedia.From.ID}
	case u.ManagedBot != nil:
		return scope{name: "managed_bot", user: u.ManagedBot.User.ID}
	case u.Subscription != nil:
		return scope{name: "subscription", user: u.Subscription.User.ID}
	}
	return ofRare(u)
}

// ofRare reads the types that come without anybody who could answer.
func ofRare(u *telego.Update) scope {
	switch {
	case u.Poll != nil:
		return scope{name: "poll"}
	case u.PollAnswer != nil:
		return scope{name: "poll_answer", chat: idOf(u.PollAnswer.VoterChat), user: userID(u.PollAnswer.User)}
	case u.MessageReaction != nil:
		return scope{name: "message_reaction", chat: u.MessageReaction.Chat.ID, user: userID(u.MessageReaction.User)}
	case u.MessageReactionCount != nil:
		return scope{name: "message_reaction_count", chat: u.MessageReactionCount.Chat.ID}
	case u.BusinessConnection != nil:
		return scope{name: "business_connection", user: u.BusinessConnection.User.ID, business: u.BusinessConnection.ID}
	case u.DeletedBusinessMessages != nil:
		d := u.DeletedBusinessMessages
		return scope{name: "deleted_business_messages", chat: d.Chat.ID, business: d.BusinessConnectionID}
	case u.ChatBoost != nil:
		return scope{name: "chat_boost", chat: u.ChatBoost.Chat.ID}
	case u.RemovedChatBoost != nil:
		return scope{name: "removed_chat_boost", chat: u.RemovedChatBoost.Chat.ID}
	case u.StoppedMessageGeneration != nil:
		s := u.StoppedMessageGeneration
		return scope{name: "stopped_message_generation", chat: s.Chat.ID, thread: int64(s.MessageThreadID)}
	}
	return scope{name: "unknown"}
}

func ofMessage(name string, m *telego.Message) scope {
	if m == nil {
		return scope{}
	}
	s := scope{name: name, chat: m.Chat.ID, user: userID(m.From), business: m.BusinessConnectionID}
	if m.IsTopicMessage {
		s.thread = int64(m.MessageThreadID)
	}
	if m.DirectMessagesTopic != nil {
		s.thread = m.DirectMessagesTopic.TopicID
	}
	return s
}

func ofQuery(q *telego.CallbackQuery) scope {
	var s scope
	switch m := q.Message.(type) {
	case *telego.Message:
		s = ofMessage("", m)
	case *telego.InaccessibleMessage:
		s.chat = m.Chat.ID
	}
	s.name, s.user = "callback_query", q.From.ID
	return s
}

func userID(u *telego.User) int64 {
	if u == nil {
		return 0
	}
	return u.ID
}

func idOf(c *telego.Chat) int64 {
	if c == nil {
		return 0
	}
	return c.ID
}
