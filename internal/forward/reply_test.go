package forward_test

import (
	"bytes"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/chatlane/chatlane/internal/forward"
	"github.com/chatlane/chatlane/internal/telegram/api"
)

const sent = `{"ok":true,"result":true}`

func TestAnswersCarryCallsInEveryForm(t *testing.T) {
	var form, upload, empty bytes.Buffer
	w := multipart.NewWriter(&form)
	write := func(w *multipart.Writer, fields ...string) {
		for i := 0; i < len(fields); i += 2 {
			if err := w.WriteField(fields[i], fields[i+1]); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(w, "method", "sendMessage", "chat_id", "5", "text", "123")
	_ = w.Close()
	u := multipart.NewWriter(&upload)
	write(u, "method", "sendPhoto", "chat_id", "5", "photo", "attach://p")
	part, err := u.CreateFormFile("p", "cat.png")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = part.Write([]byte("PNG"))
	_ = u.Close()
	e := multipart.NewWriter(&empty)
	_ = e.Close()
	for _, tt := range []struct {
		name, kind, body string
		path             string   // of the call; empty: none
		holds            []string // by its body
	}{
		{"json", "application/json; charset=utf-8", `{"method":"sendMessage","chat_id":5,"text":"123"}`, "sendMessage", []string{`"text":"123"`, `"chat_id":5`}},
		{"urlencoded", "application/x-www-form-urlencoded", "method=sendMessage&chat_id=5&text=123", "sendMessage", []string{`"text":"123"`, `"chat_id":5`}},
		{"multipart", w.FormDataContentType(), form.String(), "sendMessage", []string{`"text":"123"`, `"chat_id":5`}},
		{"multipart with a file", u.FormDataContentType(), upload.String(), "sendPhoto", []string{"attach://p", `filename="cat.png"`, "PNG"}},
		{"empty multipart", e.FormDataContentType(), empty.String(), "", nil},
		{"broken multipart", e.FormDataContentType(), "--", "", nil},
		{"empty object", "application/json", `{}`, "", nil},
		{"no object", "application/json", `"ok"`, "", nil},
		{"method is no name", "application/json", `{"method":1}`, "", nil},
		{"text", "text/plain", `{"method":"sendMessage"}`, "", nil},
		{"no type", "", `{"method":"sendMessage"}`, "", nil},
		{"empty", "application/json", ``, "", nil},
		{"broken", "application/json", `{"method":`, "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			existing, botAPI := serve(t, body(tt.kind, tt.body)), serve(t, body("application/json", sent))
			r := start(t, forward.Target{URL: existing.URL}, botAPI)
			for range 2 { // the second attempt has all from the journal
				if err := r.turn(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			calls := botAPI.requests()
			if tt.path == "" {
				if len(calls) != 0 {
					t.Errorf("call made: %+v", calls)
				}
				return
			}
			if len(calls) != 1 || !strings.HasSuffix(calls[0].path, "/"+tt.path) {
				t.Fatalf("calls: %+v", calls)
			}
			for _, part := range tt.holds {
				if !strings.Contains(calls[0].body, part) {
					t.Errorf("%q is not in %s", part, calls[0].body)
				}
			}
		})
	}
}

func TestCallsThatTelegramWouldNotCarryOutAreIgnored(t *testing.T) {
	for _, method := range []string{"setWebhook", "deleteWebhook", "close", "logOut", "getMe", "GETUPDATES"} {
		existing := serve(t, body("application/json", `{"method":"`+method+`"}`))
		botAPI := serve(t, body("application/json", sent))
		r := start(t, forward.Target{URL: existing.URL}, botAPI)
		if err := r.turn(t.Context()); err != nil || len(botAPI.requests()) != 0 {
			t.Errorf("%s: %v, %d calls", method, err, len(botAPI.requests()))
		}
	}
}

// A refusal ends the matter, as it does when Telegram itself carries the call out; what
// another attempt may resolve has one.
func TestRefusedCallsEndTheTurnAndBrokenOnesDoNot(t *testing.T) {
	for _, tt := range []struct {
		code    int
		gateway bool
		again   bool
	}{{400, false, false}, {403, false, false}, {404, false, false}, {401, false, true}, {500, false, true}, {403, true, true}} {
		existing := serve(t, body("application/json", `{"method":"sendMessage","chat_id":5,"text":"x"}`))
		botAPI := serve(t, func(w http.ResponseWriter, _ int) {
			answer := fmt.Sprintf(`{"ok":false,"error_code":%d}`, tt.code)
			if tt.gateway {
				answer = "<html>"
			}
			http.Error(w, answer, tt.code)
		})
		r := start(t, forward.Target{URL: existing.URL}, botAPI)
		err := r.turn(t.Context())
		var no *api.Error
		if (err != nil) != tt.again || tt.again && (!errors.As(err, &no) || no.Code != tt.code) {
			t.Errorf("%d: got %v", tt.code, err)
		}
	}
}
