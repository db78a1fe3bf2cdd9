package bot

import (
	"math/bits"
	"strings"
)

// Type is a set of update types; join several with |.
type Type uint64

// The update types of the Bot API.
const (
	Message Type = 1 << iota
	EditedMessage
	ChannelPost
	EditedChannelPost
	BusinessConnection
	BusinessMessage
	EditedBusinessMessage
	DeletedBusinessMessages
	GuestMessage
	MessageReaction
	MessageReactionCount
	InlineQuery
	ChosenInlineResult
	CallbackQuery
	ShippingQuery
	PreCheckoutQuery
	PurchasedPaidMedia
	Poll
	PollAnswer
	MyChatMember
	ChatMember
	ChatJoinRequest
	ChatBoost
	RemovedChatBoost
	ManagedBot
	Subscription
	StoppedMessageGeneration

	// Unknown stands for every type that this version does not know by name.
	Unknown
	// Timeout is no update of Telegram's: the time for a state ran out, see [Router.OnTimeout].
	Timeout
)

const (
	// AnyUpdate is every type that Telegram sends, those unknown today included.
	AnyUpdate = Timeout - 1
	// AnyMessage is every type whose payload is a message.
	AnyMessage = Message | EditedMessage | ChannelPost | EditedChannelPost |
		BusinessMessage | EditedBusinessMessage | GuestMessage

	knownTypes = Unknown - 1
	everything = AnyUpdate | Timeout
)

// typeName gives the Bot API's name of a single type.
func typeName(bit int) string {
	return [...]string{
		"message", "edited_message", "channel_post", "edited_channel_post",
		"business_connection", "business_message", "edited_business_message", "deleted_business_messages",
		"guest_message", "message_reaction", "message_reaction_count",
		"inline_query", "chosen_inline_result", "callback_query", "shipping_query", "pre_checkout_query",
		"purchased_paid_media", "poll", "poll_answer", "my_chat_member", "chat_member", "chat_join_request",
		"chat_boost", "removed_chat_boost", "managed_bot", "subscription", "stopped_message_generation",
		"unknown", "timeout",
	}[bit]
}

// TypeOf is the type with a name of the Bot API's, or [Unknown].
func TypeOf(name string) Type {
	switch name { // by far the most of all traffic
	case "message":
		return Message
	case "callback_query":
		return CallbackQuery
	}
	for bit := range bits.Len64(uint64(everything)) {
		if typeName(bit) == name {
			return 1 << bit
		}
	}
	return Unknown
}

// Names lists the Bot API's names of the types in the set.
func (t Type) Names() []string {
	names := make([]string, 0, bits.OnesCount64(uint64(t)))
	for bit := range bits.Len64(uint64(everything)) {
		if t&(1<<bit) != 0 {
			names = append(names, typeName(bit))
		}
	}
	return names
}

// String joins the names with "|".
func (t Type) String() string { return strings.Join(t.Names(), "|") }
