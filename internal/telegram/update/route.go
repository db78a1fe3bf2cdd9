package update

import (
	"cmp"

	"github.com/chatlane/chatlane/internal/lane"
)

// route says where an update belongs; false if it lacks what its type must have, or, for an unknown type, if
// it carries nothing to go by.
func (w *walker) route(updateType string) (lane.Scope, bool) {
	f := &w.top
	switch updateType {
	case typePoll:
		return lane.Scope{Kind: lane.KindPoll, ID: f.id}, f.id != ""
	case typeBusinessConnection:
		return lane.Scope{Kind: lane.KindBusiness, ID: f.id, User: f.user}, f.id != ""
	case typeBusinessMessage, typeEditedBusinessMessage, typeDeletedBusinessMessages:
		return f.scope(f.author()), f.business != "" && f.chat != 0
	case typeGuestMessage:
		s := f.scope(f.author())
		s.Kind = lane.KindGuest
		return s, f.chat != 0
	case typeCallbackQuery:
		return w.button()
	case typeWidgetQuery: // of a message via the bot it names no chat, as a button's press does
		if f.chat == 0 {
			return private(f.from)
		}
		return f.scope(f.from), true
	case typePollAnswer:
		return private(cmp.Or(f.voter, f.user))
	case typeInlineQuery, typeChosenInlineResult, typeShippingQuery, typePreCheckoutQuery,
		typePurchasedPaidMedia, typeManagedBot, typeSubscription, typeSharedWidgetQuery:
		return private(cmp.Or(f.from, f.user))
	case typeChannelPost, typeEditedChannelPost:
		return f.scope(f.from), f.chat != 0
	case typeMessage, typeEditedMessage:
		return f.scope(f.author()), f.chat != 0
	case typeStoppedMessageGeneration:
		f.isTopic = true // the type has no is_topic_message
		return f.scope(0), f.chat != 0
	case typeChatJoinRequest:
		return f.joinRequest()
	case typeMessageReaction, typeMessageReactionCount, typeMyChatMember, typeChatMember,
		typeChatBoost, typeRemovedChatBoost:
		return f.scope(cmp.Or(f.actor, f.from, f.user)), f.chat != 0
	}
	return f.unknown()
}

// button uses the chat of the message with the button, and as user the one that pressed.
func (w *walker) button() (lane.Scope, bool) {
	if w.message.chat == 0 {
		return private(w.top.from)
	}
	return w.message.scope(w.top.from), true
}

// joinRequest uses the private chat with the asker: the bot may write there, and the conversation goes on there.
func (f *findings) joinRequest() (lane.Scope, bool) {
	chat := cmp.Or(f.private, f.from)
	return lane.Scope{Kind: lane.KindChat, Chat: chat, User: cmp.Or(f.from, chat)}, f.chat != 0 && chat != 0
}

func private(user int64) (lane.Scope, bool) {
	return lane.Scope{Kind: lane.KindChat, Chat: user, User: user}, user != 0
}

// author prefers the sender chat, beside which `from` is a stand-in.
func (f *findings) author() int64 { return cmp.Or(f.sender, f.from) }

// scope takes the other side of a private chat as user if none is named.
func (f *findings) scope(user int64) lane.Scope {
	s := lane.Scope{Kind: lane.KindChat, Chat: f.chat, User: user, Thread: f.topic}
	if s.Thread == 0 && f.isTopic {
		s.Thread = f.thread
	}
	switch {
	case f.business != "":
		s.Kind, s.ID = lane.KindBusiness, f.business
	case f.guest:
		s.Kind = lane.KindGuest
	case user == 0 && f.chat > 0:
		s.User = f.chat
	}
	return s
}

// unknown routes a newer type by chat, else by user. A business or guest chat keeps its namespace.
func (f *findings) unknown() (lane.Scope, bool) {
	user := f.from
	if user == 0 || f.user != 0 && f.userLevel < f.fromLevel {
		user = f.user
	}
	user = cmp.Or(f.sender, f.actor, f.voter, user)
	switch {
	case f.chat != 0:
		return f.scope(user), true
	case f.business != "":
		return lane.Scope{Kind: lane.KindBusiness, ID: f.business, User: user}, true
	}
	return private(user)
}
