package api

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
)

const redacted = "[redacted]"

// ErrToken means that a text is no bot token. It does not show the text.
var ErrToken = errors.New("no bot token: want <bot id>:<letters, digits, _ or ->")

// Token is a bot's token. Printed, logged or encoded it is "[redacted]", also as a field of another value.
type Token struct {
	bot  int64
	text func() string // a closure: fmt reads unexported fields, of structs around it too, and follows pointers
}

// ParseToken reads a token as BotFather gives it; other texts give ErrToken.
func ParseToken(text string) (Token, error) {
	if !regexp.MustCompile(`^\d{1,18}:[\w-]{1,128}$`).MatchString(text) {
		return Token{}, ErrToken
	}
	digits, _, _ := strings.Cut(text, ":")
	bot, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || bot <= 0 {
		return Token{}, ErrToken
	}
	return Token{bot: bot, text: func() string { return text }}, nil
}

// Bot is the bot's id, 0 for the zero token.
func (t Token) Bot() int64 { return t.bot }

func (t Token) reveal() string {
	if t.text == nil {
		return ""
	}
	return t.text()
}

// hide redacts the token in a text, with or without the bot's id.
func (t Token) hide(text string) string {
	whole := t.reveal()
	if whole == "" {
		return text
	}
	text = strings.ReplaceAll(text, whole, redacted)
	if _, key, _ := strings.Cut(whole, ":"); len(key) >= 8 {
		text = strings.ReplaceAll(text, key, redacted)
	}
	return text
}

// Format covers every verb of fmt.
func (Token) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(redacted)) }

func (Token) String() string { return redacted }

// MarshalText covers encoders: JSON, YAML, flags.
func (Token) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue covers slog.
func (Token) LogValue() slog.Value { return slog.StringValue(redacted) }
