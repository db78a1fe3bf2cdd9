package bot

import (
	"context"
	"slices"
	"strings"

	"github.com/mymmrac/telego"
)

// Answer sends a text, of up to 4096 characters, to the turn's chat, topic and business connection; where the
// update has no chat, to the user. The sender of a join request gets it in private, which Telegram allows for 5
// minutes, and the owner of a business account in the private chat with the bot. A guest message is answered once,
// by answerGuestQuery. It fails with a [*NoChatError] if the bot reaches nobody, and with the Bot API's refusal.
func (t *Turn) Answer(ctx context.Context, text string, options ...Option) error {
	return t.say(ctx, t.compose(text, options))
}

func (t *Turn) say(ctx context.Context, params *telego.SendMessageParams) error {
	if t.p.Guest && params.ChatID == (telego.ChatID{}) {
		return t.answerGuest(ctx, params)
	}
	_, err := t.Send(ctx, params)
	return err
}

// Reply is [Turn.Answer] that quotes the turn's message.
func (t *Turn) Reply(ctx context.Context, text string, options ...Option) error {
	params := t.compose(text, options)
	if m := t.Message(); m != nil && params.ReplyParameters == nil {
		params.ReplyParameters = &telego.ReplyParameters{MessageID: m.MessageID, AllowSendingWithoutReply: true}
	}
	return t.say(ctx, params)
}

// Send sends a message. Without a chat in params it goes where [Turn.Answer] does, but answers no guest
// message: it fails with a [*NoChatError] there.
func (t *Turn) Send(ctx context.Context, params *telego.SendMessageParams) (*telego.Message, error) {
	filled := *params
	if filled.ChatID == (telego.ChatID{}) {
		to, err := t.destination()
		if err != nil {
			return nil, err
		}
		filled.ChatID = telego.ChatID{ID: to.chat}
		filled.MessageThreadID, filled.DirectMessagesTopicID = to.thread, to.topic
		filled.BusinessConnectionID = to.business
	}
	return t.p.API.SendMessage(ctx, &filled)
}

// Edit changes the text of the message under which a button was pressed, and its inline keyboard if an option
// gives one. Changing nothing is no error.
func (t *Turn) Edit(ctx context.Context, text string, options ...Option) error {
	m := t.compose(text, options)
	params := &telego.EditMessageTextParams{
		BusinessConnectionID: t.p.Business, Text: m.Text, ParseMode: m.ParseMode,
		Entities: m.Entities, LinkPreviewOptions: m.LinkPreviewOptions,
	}
	params.ReplyMarkup, _ = m.ReplyMarkup.(*telego.InlineKeyboardMarkup)
	switch q := t.Query(); {
	case t.Message() != nil:
		params.ChatID, params.MessageID = telego.ChatID{ID: t.Message().Chat.ID}, t.Message().MessageID
	case q != nil && q.Message != nil: // the bot cannot read the message, but may edit its own
		params.ChatID, params.MessageID = telego.ChatID{ID: q.Message.GetChat().ID}, q.Message.GetMessageID()
	case q != nil && q.InlineMessageID != "":
		params.InlineMessageID = q.InlineMessageID
	default:
		return ErrNoChat
	}
	if _, err := t.p.API.EditMessageText(ctx, params); err != nil && !IsNotModified(err) {
		return err
	}
	return nil
}

// AnswerCallback answers the pressed button with a notice of up to 200 characters; an empty one only stops
// the progress bar. [Turn.Deadline] is the time for it.
func (t *Turn) AnswerCallback(ctx context.Context, text string) error {
	return t.SendCallback(ctx, telego.AnswerCallbackQueryParams{Text: text})
}

// Alert answers the pressed button with a window that the user has to close.
func (t *Turn) Alert(ctx context.Context, text string) error {
	return t.SendCallback(ctx, telego.AnswerCallbackQueryParams{Text: text, ShowAlert: true})
}

// SendCallback answers the pressed button with any parameters. A press too old to be answered is no error:
// nobody waits any more. It fails with ErrNoChat if no button was pressed.
func (t *Turn) SendCallback(ctx context.Context, params telego.AnswerCallbackQueryParams) error {
	q := t.Query()
	if q == nil {
		return ErrNoChat
	}
	params.CallbackQueryID = q.ID
	t.answered = true
	if err := t.p.API.AnswerCallbackQuery(ctx, &params); err != nil && !IsQueryTooOld(err) {
		return err
	}
	return nil
}

// SendAlbum sends 2 to 10 photos, videos, documents or audio files as one album.
func (t *Turn) SendAlbum(ctx context.Context, media ...telego.InputMedia) error {
	to, err := t.destination()
	if err != nil {
		return err
	}
	_, err = t.p.API.SendMediaGroup(ctx, &telego.SendMediaGroupParams{
		BusinessConnectionID: to.business, ChatID: telego.ChatID{ID: to.chat},
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

// Option changes a message before it is sent. Any function of this shape will do.
type Option func(m *telego.SendMessageParams)

// HTML marks the text as Telegram's HTML.
func HTML(m *telego.SendMessageParams) { m.ParseMode = telego.ModeHTML }

// Markdown marks the text as MarkdownV2.
func Markdown(m *telego.SendMessageParams) { m.ParseMode = telego.ModeMarkdownV2 }

// Silent sends without a sound.
func Silent(m *telego.SendMessageParams) { m.DisableNotification = true }

// Protected forbids forwarding and saving.
func Protected(m *telego.SendMessageParams) { m.ProtectContent = true }

// NoPreview shows no preview of links.
func NoPreview(m *telego.SendMessageParams) {
	m.LinkPreviewOptions = &telego.LinkPreviewOptions{IsDisabled: true}
}

// EscapeMarkdown escapes a text for [Markdown]. For [HTML] there is html.EscapeString.
func EscapeMarkdown(text string) string {
	var b strings.Builder
	for _, r := range text {
		if strings.ContainsRune("_*[]()~`>#+-=|{}.!\\", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Markup adds a keyboard, see [Inline] and [Keyboard].
func Markup(k telego.ReplyMarkup) Option {
	return func(m *telego.SendMessageParams) { m.ReplyMarkup = k }
}

// Inline puts buttons under the message. Without rows it removes them.
func Inline(rows ...[]telego.InlineKeyboardButton) Option {
	if rows == nil {
		rows = [][]telego.InlineKeyboardButton{} // null would leave the old ones
	}
	return Markup(&telego.InlineKeyboardMarkup{InlineKeyboard: rows})
}

// Row is one row of inline buttons.
func Row(buttons ...telego.InlineKeyboardButton) []telego.InlineKeyboardButton { return buttons }

// Grid breaks inline buttons into rows of n; the last row may be shorter.
func Grid(n int, buttons ...telego.InlineKeyboardButton) [][]telego.InlineKeyboardButton {
	return slices.Collect(slices.Chunk(buttons, n))
}

// Button is an inline button that sends data, at most 64 bytes, to the bot.
func Button(text, data string) telego.InlineKeyboardButton {
	return telego.InlineKeyboardButton{Text: text, CallbackData: data}
}

// LinkButton is an inline button that opens a link.
func LinkButton(text, url string) telego.InlineKeyboardButton {
	return telego.InlineKeyboardButton{Text: text, URL: url}
}

// Keyboard shows rows of buttons below the input field; a press sends the text.
func Keyboard(rows ...[]string) Option {
	k := &telego.ReplyKeyboardMarkup{ResizeKeyboard: true}
	for _, row := range rows {
		buttons := make([]telego.KeyboardButton, 0, len(row))
		for _, text := range row {
			buttons = append(buttons, telego.KeyboardButton{Text: text})
		}
		k.Keyboard = append(k.Keyboard, buttons)
	}
	return Markup(k)
}

// NoKeyboard removes the keyboard below the input field.
func NoKeyboard(m *telego.SendMessageParams) {
	m.ReplyMarkup = &telego.ReplyKeyboardRemove{RemoveKeyboard: true}
}
