package update

import (
	"slices"
	"time"
)

// The update types of Bot API 10.5.
const (
	typeMessage                  = "message"
	typeEditedMessage            = "edited_message"
	typeChannelPost              = "channel_post"
	typeEditedChannelPost        = "edited_channel_post"
	typeBusinessConnection       = "business_connection"
	typeBusinessMessage          = "business_message"
	typeEditedBusinessMessage    = "edited_business_message"
	typeDeletedBusinessMessages  = "deleted_business_messages"
	typeGuestMessage             = "guest_message"
	typeMessageReaction          = "message_reaction"
	typeMessageReactionCount     = "message_reaction_count"
	typeInlineQuery              = "inline_query"
	typeChosenInlineResult       = "chosen_inline_result"
	typeCallbackQuery            = "callback_query"
	typeShippingQuery            = "shipping_query"
	typePreCheckoutQuery         = "pre_checkout_query"
	typePurchasedPaidMedia       = "purchased_paid_media"
	typePoll                     = "poll"
	typePollAnswer               = "poll_answer"
	typeMyChatMember             = "my_chat_member"
	typeChatMember               = "chat_member"
	typeChatJoinRequest          = "chat_join_request"
	typeChatBoost                = "chat_boost"
	typeRemovedChatBoost         = "removed_chat_boost"
	typeManagedBot               = "managed_bot"
	typeSubscription             = "subscription"
	typeStoppedMessageGeneration = "stopped_message_generation"
	typeWidgetQuery              = "widget_query"
	typeSharedWidgetQuery        = "shared_widget_query"
)

// UnknownType replaces a type name that is unfit for headers and logs.
const UnknownType = "unknown"

// names returns an array, so that a look-up allocates nothing.
func names() [29]string {
	return [...]string{
		typeMessage, typeEditedMessage, typeChannelPost, typeEditedChannelPost,
		typeBusinessConnection, typeBusinessMessage, typeEditedBusinessMessage, typeDeletedBusinessMessages,
		typeGuestMessage, typeMessageReaction, typeMessageReactionCount,
		typeInlineQuery, typeChosenInlineResult, typeCallbackQuery, typeShippingQuery, typePreCheckoutQuery,
		typePurchasedPaidMedia, typePoll, typePollAnswer, typeMyChatMember, typeChatMember, typeChatJoinRequest,
		typeChatBoost, typeRemovedChatBoost, typeManagedBot, typeSubscription, typeStoppedMessageGeneration,
		typeWidgetQuery, typeSharedWidgetQuery,
	}
}

// Types lists the known update types in the Bot API's order.
func Types() []string {
	all := names()
	return all[:]
}

// IsKnown tells whether a type is among Types.
func IsKnown(updateType string) bool { return slices.Contains(Types(), updateType) }

// AnswerWithin is how long after an update's arrival an answer is still useful; 0 means for ever. Where
// Telegram keeps a query longer than its asker waits (checkouts: 150 s against 10 s), the asker counts.
func AnswerWithin(updateType string) time.Duration {
	switch updateType {
	case typeShippingQuery, typePreCheckoutQuery, typeChatJoinRequest:
		return 10 * time.Second
	case typeWidgetQuery, typeSharedWidgetQuery:
		return 15 * time.Second
	case typeInlineQuery:
		return 30 * time.Second
	case typeCallbackQuery:
		return 150 * time.Second
	}
	return 0
}

// typeOf keeps nothing of the body.
func typeOf(name []byte) (updateType string, known bool) {
	for _, t := range names() {
		if t == string(name) {
			return t, true
		}
	}
	if len(name) == 0 || len(name) > 64 {
		return UnknownType, false
	}
	for _, c := range name {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return UnknownType, false
		}
	}
	return string(name), false
}
