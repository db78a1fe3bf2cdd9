package bot

import (
	"strings"

	"github.com/mymmrac/telego"
)

// Option changes a message before it is sent. Any function of this shape will do.
type Option func(m *telego.SendMessageParams)

// HTML has the text read as Telegram's HTML.
func HTML(m *telego.SendMessageParams) { m.ParseMode = telego.ModeHTML }

// Markdown has the text read as MarkdownV2.
func Markdown(m *telego.SendMessageParams) { m.ParseMode = telego.ModeMarkdownV2 }

// Silent sends without a sound.
func Silent(m *telego.SendMessageParams) { m.DisableNotification = true }

// Protected forbids forwarding and saving.
func Protected(m *telego.SendMessageParams) { m.ProtectContent = true }

// NoPreview shows no preview of links.
func NoPreview(m *telego.SendMessageParams) {
	m.LinkPreviewOptions = &telego.LinkPreviewOptions{IsDisabled: true}
}

// EscapeMarkdown has a text stand as it is within [Markdown]. For [HTML] there is
// html.EscapeString.
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
