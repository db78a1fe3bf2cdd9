package rules

import (
	"strings"
	"unicode"
	"unicode/utf16"
)

// Limits of the Bot API's page, in UTF-16 units after parsing unless a line says bytes.
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

// Length is a text's length in UTF-16 units, as Telegram counts.
func Length(text string) (n int) {
	for _, r := range text {
		n += utf16.RuneLen(r)
	}
	return n
}

// IsBlank reports that nothing of a text is visible; Telegram refuses such texts.
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
