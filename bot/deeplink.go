package bot

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
)

// maxPayload is what Telegram takes behind ?start=.
const maxPayload = 64

// ErrPayload says that a deep link's payload is not what Telegram takes: 1 to 64
// letters, digits, '_' and '-'.
var ErrPayload = errors.New("want 1 to 64 letters, digits, '_' and '-'")

// StartLink is a link that opens the bot's private chat and sends /start with a
// payload; [StartPayload] is the filter for it.
func StartLink(username, payload string) (string, error) {
	return deepLink(username, "start", payload)
}

// GroupLink is a link that adds the bot to a group and sends /start with a payload.
func GroupLink(username, payload string) (string, error) {
	return deepLink(username, "startgroup", payload)
}

// AppLink is a link that opens the bot's main web app with a start parameter.
func AppLink(username, payload string) (string, error) {
	return deepLink(username, "startapp", payload)
}

func deepLink(username, kind, payload string) (string, error) {
	if !isPayload(payload) {
		return "", fmt.Errorf("link with payload %q: %w", payload, ErrPayload)
	}
	return "https://t.me/" + url.PathEscape(username) + "?" + kind + "=" + payload, nil
}

func isPayload(s string) bool {
	if s == "" || len(s) > maxPayload {
		return false
	}
	for _, r := range s {
		if r != '-' && (!isWord(r) || r >= 0x80) {
			return false
		}
	}
	return true
}

// EncodePayload makes a payload of any text of up to 48 bytes.
func EncodePayload(text string) (string, error) {
	payload := base64.RawURLEncoding.EncodeToString([]byte(text))
	if !isPayload(payload) {
		return "", fmt.Errorf("payload of %d bytes: %w", len(text), ErrPayload)
	}
	return payload, nil
}

// DecodePayload reads what EncodePayload made.
func DecodePayload(payload string) (string, error) {
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return "", fmt.Errorf("decode payload: %w", err)
	}
	return string(text), nil
}

// StartPayload passes /start commands that carry a deep link's payload, which is
// then the command's Args.
func StartPayload() Filter {
	payload := when("", func(t *Turn) bool { return isPayload(t.Command().Args) })
	return And(Command("start"), payload).Named("/start payload")
}
