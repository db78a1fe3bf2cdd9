package bot

import (
	"context"

	"github.com/mymmrac/telego"
)

// Answer sends a text to the chat, topic and business connection of the turn; where
// the update has no chat, to the user.
func (t *Turn) Answer(ctx context.Context, text string, options ...Option) error {
	_, err := t.Send(ctx, t.compose(text, options))
	return err
}

// Reply is Answer that quotes the message of the turn.
func (t *Turn) Reply(ctx context.Context, text string, options ...Option) error {
	params := t.compose(text, options)
	if m := t.message; m != nil && params.ReplyParameters == nil {
		params.ReplyParameters = &telego.ReplyParameters{MessageID: m.MessageID, AllowSendingWithoutReply: true}
	}
	_, err := t.Send(ctx, params)
	return err
}

// Send sends a message; what params leaves open (chat, topic, business connection)
// is that of the turn.
func (t *Turn) Send(ctx context.Context, params *telego.SendMessageParams) (*telego.Message, error) {
	filled := *params
	if filled.ChatID == (telego.ChatID{}) {
		to, err := t.destination()
		if err != nil {
			return nil, err
		}
		filled.ChatID = telego.ChatID{ID: to.chat}
		filled.MessageThreadID, filled.DirectMessagesTopicID = to.thread, to.topic
		filled.BusinessConnectionID = t.p.Business
	}
	return t.p.API.SendMessage(ctx, &filled)
}

// Edit changes the text, and the inline keyboard if an option gives one, of the
// message under which a button was pressed.
func (t *Turn) Edit(ctx context.Context, text string, options ...Option) error {
	m := t.compose(text, options)
	params := &telego.EditMessageTextParams{
		BusinessConnectionID: t.p.Business, Text: m.Text, ParseMode: m.ParseMode,
		Entities: m.Entities, LinkPreviewOptions: m.LinkPreviewOptions,
	}
	params.ReplyMarkup, _ = m.ReplyMarkup.(*telego.InlineKeyboardMarkup)
	switch q := t.Query(); {
	case t.message != nil:
		params.ChatID, params.MessageID = telego.ChatID{ID: t.message.Chat.ID}, t.message.MessageID
	case q != nil && q.Message != nil: // the bot may not read it, but its own it may edit
		params.ChatID, params.MessageID = telego.ChatID{ID: q.Message.GetChat().ID}, q.Message.GetMessageID()
	case q != nil && q.InlineMessageID != "":
		params.InlineMessageID = q.InlineMessageID
	default:
		return ErrNoChat
	}
	_, err := t.p.API.EditMessageText(ctx, params)
	return err
}

// AnswerCallback answers the pressed button with a short notice; an empty text only
// stops the button's progress bar. Telegram takes an answer for 15 seconds or so.
func (t *Turn) AnswerCallback(ctx context.Context, text string) error {
	return t.SendCallback(ctx, telego.AnswerCallbackQueryParams{Text: text})
}

// Alert answers the pressed button with a window that has to be closed.
func (t *Turn) Alert(ctx context.Context, text string) error {
	return t.SendCallback(ctx, telego.AnswerCallbackQueryParams{Text: text, ShowAlert: true})
}

// SendCallback answers the pressed button with all choices. It fails with ErrNoChat
// where no button was pressed.
func (t *Turn) SendCallback(ctx context.Context, params telego.AnswerCallbackQueryParams) error {
	q := t.Query()
	if q == nil {
		return ErrNoChat
	}
	params.CallbackQueryID = q.ID
	t.answered = true
	return t.p.API.AnswerCallbackQuery(ctx, &params)
}

// SendAlbum sends 2 to 10 photos, videos, documents or audio files as one album.
func (t *Turn) SendAlbum(ctx context.Context, media ...telego.InputMedia) error {
	to, err := t.destination()
	if err != nil {
		return err
	}
	_, err = t.p.API.SendMediaGroup(ctx, &telego.SendMediaGroupParams{
		BusinessConnectionID: t.p.Business, ChatID: telego.ChatID{ID: to.chat},
		MessageThreadID: to.thread, DirectMessagesTopicID: to.topic, Media: media,
	})
	return err
}

func (t *Turn) compose(text string, options []Option) *telego.SendMessageParams {
	m := &telego.SendMessageParams{Text: text}
	for _, o := range options {
		o(m)
	}
	return m
}

// address is where answers of a turn go.
type address struct {
	chat   int64
	thread int
	topic  int64 // of a channel's direct messages
}

func (t *Turn) destination() (address, error) {
	switch m := t.message; {
	case t.p.Chat != 0 && m != nil && m.DirectMessagesTopic != nil:
		return address{chat: t.p.Chat, topic: m.DirectMessagesTopic.TopicID}, nil
	case t.p.Chat != 0:
		return address{chat: t.p.Chat, thread: int(t.p.Thread)}, nil
	case t.p.User != 0:
		return address{chat: t.p.User}, nil
	}
	return address{}, ErrNoChat
}
