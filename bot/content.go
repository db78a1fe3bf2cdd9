package bot

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/mymmrac/telego"
)

// Content names what a message carries, in the words of the Bot API.
type Content string

// What messages carry. A photo of an album is a photo; a message has one content,
// except that an animation is a document as well.
const (
	ContentText       Content = "text"
	ContentPhoto      Content = "photo"
	ContentVideo      Content = "video"
	ContentAnimation  Content = "animation"
	ContentAudio      Content = "audio"
	ContentVoice      Content = "voice"
	ContentVideoNote  Content = "video_note"
	ContentDocument   Content = "document"
	ContentSticker    Content = "sticker"
	ContentStory      Content = "story"
	ContentContact    Content = "contact"
	ContentLocation   Content = "location"
	ContentVenue      Content = "venue"
	ContentPoll       Content = "poll"
	ContentDice       Content = "dice"
	ContentGame       Content = "game"
	ContentInvoice    Content = "invoice"
	ContentPayment    Content = "successful_payment"
	ContentRefund     Content = "refunded_payment"
	ContentWebApp     Content = "web_app_data"
	ContentPaidMedia  Content = "paid_media"
	ContentChecklist  Content = "checklist"
	ContentJoined     Content = "new_chat_members"
	ContentLeft       Content = "left_chat_member"
	ContentPinned     Content = "pinned_message"
	ContentTitle      Content = "new_chat_title"
	ContentMigrated   Content = "migrate_to_chat_id"
	ContentUserShared Content = "users_shared"
	ContentChatShared Content = "chat_shared"
)

// Has passes messages that carry one of these contents.
func Has(contents ...Content) Filter {
	checks := make([]func(*telego.Message) bool, 0, len(contents))
	for _, c := range contents {
		check := contentCheck(c)
		if check == nil {
			panic(fmt.Sprintf("bot: content %q is not known", c))
		}
		checks = append(checks, check)
	}
	label := ""
	if len(contents) > 0 {
		label = string(contents[0])
	}
	return when(label, func(t *Turn) bool {
		if t.message == nil || t.typ == CallbackQuery {
			return false
		}
		for _, check := range checks {
			if check(t.message) {
				return true
			}
		}
		return false
	})
}

// contentCheck tells how to find a content; nil if it is not known.
func contentCheck(c Content) func(*telego.Message) bool {
	type m = telego.Message
	return map[Content]func(*telego.Message) bool{
		ContentText:       func(m *m) bool { return m.Text != "" },
		ContentPhoto:      func(m *m) bool { return m.Photo != nil },
		ContentVideo:      func(m *m) bool { return m.Video != nil },
		ContentAnimation:  func(m *m) bool { return m.Animation != nil },
		ContentAudio:      func(m *m) bool { return m.Audio != nil },
		ContentVoice:      func(m *m) bool { return m.Voice != nil },
		ContentVideoNote:  func(m *m) bool { return m.VideoNote != nil },
		ContentDocument:   func(m *m) bool { return m.Document != nil },
		ContentSticker:    func(m *m) bool { return m.Sticker != nil },
		ContentStory:      func(m *m) bool { return m.Story != nil },
		ContentContact:    func(m *m) bool { return m.Contact != nil },
		ContentLocation:   func(m *m) bool { return m.Location != nil },
		ContentVenue:      func(m *m) bool { return m.Venue != nil },
		ContentPoll:       func(m *m) bool { return m.Poll != nil },
		ContentDice:       func(m *m) bool { return m.Dice != nil },
		ContentGame:       func(m *m) bool { return m.Game != nil },
		ContentInvoice:    func(m *m) bool { return m.Invoice != nil },
		ContentPayment:    func(m *m) bool { return m.SuccessfulPayment != nil },
		ContentRefund:     func(m *m) bool { return m.RefundedPayment != nil },
		ContentWebApp:     func(m *m) bool { return m.WebAppData != nil },
		ContentPaidMedia:  func(m *m) bool { return m.PaidMedia != nil },
		ContentChecklist:  func(m *m) bool { return m.Checklist != nil },
		ContentJoined:     func(m *m) bool { return m.NewChatMembers != nil },
		ContentLeft:       func(m *m) bool { return m.LeftChatMember != nil },
		ContentPinned:     func(m *m) bool { return m.PinnedMessage != nil },
		ContentTitle:      func(m *m) bool { return m.NewChatTitle != "" },
		ContentMigrated:   func(m *m) bool { return m.MigrateToChatID != 0 },
		ContentUserShared: func(m *m) bool { return m.UsersShared != nil },
		ContentChatShared: func(m *m) bool { return m.ChatShared != nil },
	}[c]
}

// errNoFiles means that the pipeline gave the turn no way to open files.
var errNoFiles = errors.New("files cannot be opened here")

// Download opens a file of a message by its file id. Telegram's own server gives files of
// up to 20 MB. The caller closes the file, and should bound how much of it is read. No
// error shows the bot's token.
func (t *Turn) Download(ctx context.Context, fileID string) (io.ReadCloser, error) {
	if t.p.File == nil || t.p.API == nil {
		return nil, errNoFiles
	}
	f, err := t.p.API.GetFile(ctx, &telego.GetFileParams{FileID: fileID})
	if err != nil {
		return nil, fmt.Errorf("download: %w", err)
	}
	body, err := t.p.File(ctx, f.FilePath)
	if err != nil {
		return nil, fmt.Errorf("download: %w", err)
	}
	return body, nil
}
