package bot

import "github.com/mymmrac/telego"

// From is the user who acted, nil where none is named.
func (t *Turn) From() *telego.User {
	u := t.p.Update
	if u == nil {
		return nil
	}
	if t.message != nil && u.CallbackQuery == nil {
		return t.message.From
	}
	switch {
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
	}
	return nil
}

// chatType is the type of the update's chat, as far as the update tells it.
func (t *Turn) chatType() string {
	if t.message != nil {
		return t.message.Chat.Type
	}
	u := t.p.Update
	if u == nil {
		return ""
	}
	switch {
	case u.CallbackQuery != nil && u.CallbackQuery.Message != nil:
		return u.CallbackQuery.Message.GetChat().Type
	case u.InlineQuery != nil:
		return u.InlineQuery.ChatType
	case u.MyChatMember != nil:
		return u.MyChatMember.Chat.Type
	case u.ChatMember != nil:
		return u.ChatMember.Chat.Type
	case u.ChatJoinRequest != nil:
		return u.ChatJoinRequest.Chat.Type
	case u.MessageReaction != nil:
		return u.MessageReaction.Chat.Type
	case u.MessageReactionCount != nil:
		return u.MessageReactionCount.Chat.Type
	case u.ChatBoost != nil:
		return u.ChatBoost.Chat.Type
	case u.RemovedChatBoost != nil:
		return u.RemovedChatBoost.Chat.Type
	case u.DeletedBusinessMessages != nil:
		return u.DeletedBusinessMessages.Chat.Type
	case u.StoppedMessageGeneration != nil:
		return u.StoppedMessageGeneration.Chat.Type
	}
	return ""
}
