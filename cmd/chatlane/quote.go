package main

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// quoted makes a text that strangers may have written safe for a terminal: what is no printable character is
// shown as its code, such as \x1b.
func quoted(text string) string { return escape(text, "") }

// quotedLines is quoted for a text of several lines.
func quotedLines(text string) string { return escape(text, "\n\t") }

func escape(text, keep string) string {
	if strings.IndexFunc(text, isUnsafe) < 0 && utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], string(utf8.RuneError)):
			_, _ = fmt.Fprintf(&b, `\x%02x`, text[i])
		case !isUnsafe(r) || strings.ContainsRune(keep, r):
			b.WriteRune(r)
		case r < 0x100:
			_, _ = fmt.Fprintf(&b, `\x%02x`, r)
		default:
			_, _ = fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// isUnsafe finds control characters, and those that turn the direction of a line.
func isUnsafe(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }

// asciiControls escapes in a JSON text the control characters that encoding/json leaves: DEL, and U+0080 to U+009F,
// which terminals obey too.
func asciiControls(raw []byte) []byte {
	out := make([]byte, 0, len(raw))
	for _, r := range string(raw) {
		if isUnsafe(r) {
			out = fmt.Appendf(out, `\u%04x`, r)
			continue
		}
		out = utf8.AppendRune(out, r)
	}
	return out
}
