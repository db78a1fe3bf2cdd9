package update_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/chatlane/chatlane/internal/telegram/update"
)

// What real senders sent: text that was cut in the middle of a letter, names twice.
func TestBadlyEncodedUpdatesAreReadAsFarAsTheyCan(t *testing.T) {
	const from = `"from":{"id":7,"first_name":"Ann"},"chat":{"id":5,"type":"private"},"message_id":3,"date":1`
	for _, tt := range []struct {
		name, members string
		text          string // what the decoded update says
	}{
		{"text", "\"message\":{" + from + ",\"text\":\"ab\x9ccd\"}", "ab\ufffdcd"},
		{"text cut in a letter", "\"message\":{" + from + ",\"text\":\"ab\xf0\x9f\x98\"}", "ab\ufffd\ufffd\ufffd"},
		{"lone surrogate", "\"message\":{" + from + ",\"text\":\"ab\\ud83d\"}", "ab\ufffd"},
		{"callback data", "\"callback_query\":{\"id\":\"1\",\"from\":{\"id\":7},\"chat_instance\":\"1\",\"data\":\"ab\x9ccd\",\"message\":{" + from + "}}", "ab\ufffdcd"},
		{"reply that quotes it", "\"message\":{" + from + ",\"text\":\"why?\",\"reply_to_message\":{" + from + ",\"text\":\"ab\x9ccd\"}}", "why?"},
		{"name of the sender", "\"message\":{" + from + ",\"sender_chat\":{\"id\":7,\"type\":\"group\",\"title\":\"\xff\"},\"text\":\"hi\"}", "hi"},
		{"name twice", `"message":{` + from + `,"text":"first","text":"second"}`, "second"},
		{"payload twice", `"message":{` + from + `,"text":"first"},"message":{` + from + `,"text":"second"}`, "second"},
		{"chat twice", `"message":{"chat":{"id":4,"type":"group","title":"x"},` + from + `,"text":"hi"}`, "hi"},
	} {
		body := []byte(`{"update_id":9,` + tt.members + `}`)
		before := string(body)
		e, err := update.Peek(botID, body)
		if err != nil || e.Chat != 5 || e.User != 7 || e.UpdateID != 9 {
			t.Errorf("%s: %+v, %v", tt.name, e, err)
			continue
		}
		u, dropped, err := update.Decode(body)
		if err != nil || len(dropped) > 0 {
			t.Errorf("%s: dropped %v, %v", tt.name, dropped, err)
			continue
		}
		text := ""
		switch {
		case u.Message != nil:
			if text = u.Message.Text; u.Message.Chat.ID != 5 || u.Message.Chat.Title != "" {
				t.Errorf("%s: chat is %+v", tt.name, u.Message.Chat)
			}
		case u.CallbackQuery != nil:
			text = u.CallbackQuery.Data
		}
		if text != tt.text || string(body) != before {
			t.Errorf("%s: says %q, want %q", tt.name, text, tt.text)
		}
		if _, err := json.Marshal(u); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// A badly encoded update is in the lane of the same update in good encoding.
func TestBadEncodingDoesNotChangeTheRoute(t *testing.T) {
	for _, s := range situations(t) {
		want, err := update.Peek(botID, s.Update)
		if err != nil {
			t.Fatal(err)
		}
		for _, more := range []string{"\"x\":\"\x9c\"", `"x":"\udc00"`, `"x":1,"x":2`} {
			body := fmt.Appendf(nil, "{%s,%s", more, s.Update[1:])
			if got, err := update.Peek(botID, body); err != nil || got != want {
				t.Errorf("%s with %q: %+v, %v; want %+v", s.Name, more, got, err, want)
			}
		}
	}
}
