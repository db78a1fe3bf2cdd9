package bot

import (
	"cmp"
	"context"
	"fmt"

	"github.com/mymmrac/telego"
)

// NoChatError means that an update has no chat that the bot may write in. It is an ErrNoChat.
type NoChatError struct {
	Type string // the update's
	Use  string // the method or target that works instead
}

// Error names the type and the way out.
func (e *NoChatError) Error() string {
	return fmt.Sprintf("%v: of %s use %s", ErrNoChat, e.Type, e.Use)
}

// Unwrap gives ErrNoChat.
func (e *NoChatError) Unwrap() error { return ErrNoChat }

type address struct {
	chat     int64
	thread   int
	topic    int64  // of a channel's direct messages
	business string // connection that the bot writes through
}

// destination decides where the answers to an update go. Ids of guest chats and business accounts are in
// namespaces of their own, and no chats of the bot's.
func (t *Turn) destination() (address, error) {
	if u := t.decoded(); u != nil {
		switch r, c := u.ChatJoinRequest, u.BusinessConnection; {
		case r != nil:
			return address{chat: cmp.Or(r.UserChatID, r.From.ID)}, nil
		case c != nil: // to the owner in private, not through the account
			return address{chat: cmp.Or(c.UserChatID, c.User.ID)}, nil
		}
	}
	switch m := t.Message(); {
	case t.p.Guest:
		return address{}, t.noChat("answerGuestQuery, once for each guest message")
	case t.p.Business != "" && t.p.Chat == 0:
		return address{}, t.noChat("a message with the chat of a customer")
	case t.p.Chat != 0 && m != nil && m.DirectMessagesTopic != nil:
		return address{chat: t.p.Chat, topic: m.DirectMessagesTopic.TopicID, business: t.p.Business}, nil
	case t.p.Chat != 0:
		return address{chat: t.p.Chat, thread: int(t.p.Thread), business: t.p.Business}, nil
	case t.p.User != 0:
		return address{chat: t.p.User}, nil
	}
	return address{}, t.noChat("a message with a chat of its own")
}

func (t *Turn) noChat(use string) error {
	return &NoChatError{Type: cmp.Or(t.p.Type, "nothing"), Use: use}
}

func (t *Turn) answerGuest(ctx context.Context, params *telego.SendMessageParams) error {
	if t.Message() == nil || t.Message().GuestQueryID == "" || t.answered {
		_, err := t.destination()
		return err
	}
	buttons, inline := params.ReplyMarkup.(*telego.InlineKeyboardMarkup)
	if params.ReplyMarkup != nil && !inline {
		return fmt.Errorf("answer to a guest message takes inline buttons only, not %T", params.ReplyMarkup)
	}
	_, err := t.p.API.AnswerGuestQuery(ctx, &telego.AnswerGuestQueryParams{
		GuestQueryID: t.Message().GuestQueryID,
		Result: &telego.InlineQueryResultArticle{
			Type: telego.ResultTypeArticle, ID: "1", Title: "1", ReplyMarkup: buttons, // id and title are not shown
			InputMessageContent: &telego.InputTextMessageContent{
				MessageText: params.Text, ParseMode: params.ParseMode, Entities: params.Entities,
				LinkPreviewOptions: params.LinkPreviewOptions,
			},
		},
	})
	t.answered = t.answered || err == nil
	return err
}
