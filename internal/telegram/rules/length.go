package rules

import (
	"strings"
	"unicode"
	"unicode/utf16"
)

// Lengths that the Bot API's page gives. Texts are counted in UTF-16, as Telegram's
// entities are, after the marks of a parse mode are taken out.
const (
	MaxText    = 4096
	MaxCaption = 1024
	MaxNotice  = 200 // of the answer to a callback query

	MaxCallbackData = 64 // bytes
	MaxPayload      = 64 // bytes, of a deep link
	MaxPlaceholder  = 64 // of an input field

	MinAlbum = 2
	MaxAlbum = 10

	MaxQuestion           = 300 // of a poll
	MaxOption             = 100
	MaxInvoiceTitle       = 32
	MaxInvoiceDescription = 255
	MaxInvoicePayload     = 128 // bytes
)

// Length is the length of a text as Telegram counts it.
func Length(text string) (n int) {
	for _, r := range text {
		n += utf16.RuneLen(r)
	}
	return n
}

// IsBlank tells that nothing of a text can be seen, which Telegram does not send.
func IsBlank(text string) bool {
	return strings.TrimFunc(text, isInvisible) == ""
}

func isInvisible(r rune) bool {
	switch {
	case r >= 0x200b && r <= 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2060 && r <= 0x2064:
		return true
	}
	switch r {
	case 0xad, 0x115f, 0x1160, 0x180e, 0x2800, 0x3164, 0xfeff, 0xfffc:
		return true
	}
	return unicode.IsSpace(r) || r < 0x20
}
