package bot

import (
	"cmp"
	"encoding/json"
	"math/bits"
	"strings"

	"github.com/mymmrac/telego"
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
	WidgetQuery
	SharedWidgetQuery

	// Unknown is every type that this version does not know by name.
	Unknown
	// Timeout is no update of Telegram's: the timer of a state fired, see [Router.OnTimeout].
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

func typeName(bit int) string {
	return [...]string{
		"message", "edited_message", "channel_post", "edited_channel_post",
		"business_connection", "business_message", "edited_business_message", "deleted_business_messages",
		"guest_message", "message_reaction", "message_reaction_count",
		"inline_query", "chosen_inline_result", "callback_query", "shipping_query", "pre_checkout_query",
		"purchased_paid_media", "poll", "poll_answer", "my_chat_member", "chat_member", "chat_join_request",
		"chat_boost", "removed_chat_boost", "managed_bot", "subscription", "stopped_message_generation",
		"widget_query", "shared_widget_query",
		"unknown", "timeout",
	}[bit]
}

// TypeOf is the type of that name in the Bot API, or [Unknown].
func TypeOf(name string) Type {
	switch name { // most of the traffic
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

// From is the user who acted; nil if the update names none ([Turn.User] may still have the id) or its type is
// unknown to this version.
func (t *Turn) From() *telego.User {
	u := t.decoded()
	if u == nil {
		return nil
	}
	if t.Message() != nil && u.CallbackQuery == nil {
		return t.Message().From
	}
	switch {
	case t.typ&(WidgetQuery|SharedWidgetQuery) != 0:
		return fromWidget(t.p.Raw)
	case u.CallbackQuery != nil:
		return &u.CallbackQuery.From
	case u.InlineQuery != nil:
		return &u.InlineQuery.From
	case u.ChosenInlineResult != nil:
		return &u.ChosenInlineResult.From
	case u.ShippingQuery != nil:
		return &u.ShippingQuery.From
	case u.PreCheckoutQuery != nil:
		return &u.PreCheckoutQuery.From
	case u.PurchasedPaidMedia != nil:
		return &u.PurchasedPaidMedia.From
	case u.MyChatMember != nil:
		return &u.MyChatMember.From
	case u.ChatMember != nil:
		return &u.ChatMember.From
	case u.ChatJoinRequest != nil:
		return &u.ChatJoinRequest.From
	}
	return fromRare(u)
}

// fromWidget reads the user of a widget's query, which telego has no type for.
func fromWidget(raw json.RawMessage) *telego.User {
	type query struct {
		From *telego.User `json:"from"`
	}
	var u struct {
		Widget query `json:"widget_query"`
		Shared query `json:"shared_widget_query"`
	}
	_ = json.Unmarshal(raw, &u) // the pipeline has read it
	return cmp.Or(u.Widget.From, u.Shared.From)
}

func fromRare(u *telego.Update) *telego.User {
	switch {
	case u.PollAnswer != nil:
		return u.PollAnswer.User
	case u.MessageReaction != nil:
		return u.MessageReaction.User
	case u.BusinessConnection != nil:
		return &u.BusinessConnection.User
	case u.ManagedBot != nil:
		return &u.ManagedBot.User
	case u.Subscription != nil:
		return &u.Subscription.User
	case u.ChatBoost != nil:
		return booster(u.ChatBoost.Boost.Source)
	case u.RemovedChatBoost != nil:
		return booster(u.RemovedChatBoost.Source)
	}
	return nil
}

func booster(source telego.ChatBoostSource) *telego.User {
	switch s := source.(type) {
	case *telego.ChatBoostSourcePremium:
		return &s.User
	case *telego.ChatBoostSourceGiftCode:
		return &s.User
	case *telego.ChatBoostSourceGiveaway:
		return s.User
	}
	return nil
}

func (t *Turn) chatType() string {
	if c := t.namedChat(); c.Type != "" {
		return c.Type
	}
	if t.p.Chat > 0 && t.p.Chat == t.p.User && t.p.Business == "" && !t.p.Guest {
		return telego.ChatTypePrivate
	}
	return ""
}

func (t *Turn) namedChat() telego.Chat {
	if t.Message() != nil {
		return t.Message().Chat
	}
	u := t.decoded()
	if u == nil {
		return telego.Chat{}
	}
	switch {
	case u.CallbackQuery != nil && u.CallbackQuery.Message != nil:
		return u.CallbackQuery.Message.GetChat()
	case u.PollAnswer != nil && u.PollAnswer.VoterChat != nil:
		return *u.PollAnswer.VoterChat
	case u.MyChatMember != nil:
		return u.MyChatMember.Chat
	case u.ChatMember != nil:
		return u.ChatMember.Chat
	case u.ChatJoinRequest != nil:
		return u.ChatJoinRequest.Chat
	case u.MessageReaction != nil:
		return u.MessageReaction.Chat
	case u.MessageReactionCount != nil:
		return u.MessageReactionCount.Chat
	case u.ChatBoost != nil:
		return u.ChatBoost.Chat
	case u.RemovedChatBoost != nil:
		return u.RemovedChatBoost.Chat
	case u.DeletedBusinessMessages != nil:
		return u.DeletedBusinessMessages.Chat
	case u.StoppedMessageGeneration != nil:
		return u.StoppedMessageGeneration.Chat
	case t.typ&(Unknown|WidgetQuery|SharedWidgetQuery) != 0:
		return unknownChat(t.p.Raw, t.p.Chat)
	}
	return telego.Chat{}
}

// unknownChat looks for the chat in the payload of an unknown type, and in the payload's message.
func unknownChat(raw json.RawMessage, id int64) telego.Chat {
	type place struct {
		Chat    telego.Chat
		Message struct{ Chat telego.Chat }
	}
	var payloads map[string]json.RawMessage
	_ = json.Unmarshal(raw, &payloads) // what is no object has no chat
	for _, payload := range payloads {
		var p place
		if json.Unmarshal(payload, &p) != nil {
			continue
		}
		for _, c := range [...]telego.Chat{p.Chat, p.Message.Chat} {
			if c.ID == id && id != 0 {
				return c
			}
		}
	}
	return telego.Chat{}
}

// requestChat is the chat that a join request is for. The lane is the private chat with the asker.
func requestChat(raw json.RawMessage) int64 {
	var u struct {
		Request struct {
			Chat struct {
				ID int64 `json:"id"`
			} `json:"chat"`
		} `json:"chat_join_request"`
	}
	_ = json.Unmarshal(raw, &u) // the pipeline has read it
	return u.Request.Chat.ID
}
