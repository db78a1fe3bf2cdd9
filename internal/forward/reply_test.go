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
		{"values in quotes", "application/x-www-form-urlencoded", "method=sendPoll&chat_id=5&question=%22why%22&start_parameter=%22%22&reply_markup=%7B%22a%22%3A%5B1%5D%7D", "sendPoll", []string{`"question":"\"why\""`, `"start_parameter":"\"\""`, `"reply_markup":{"a":[1]}`}},
		{"name in another case", "application/json", `{"method":"SENDMESSAGE","chat_id":5,"text":"123"}`, "sendMessage", []string{`"text":"123"`}},
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
	for _, method := range []string{
		"setWebhook", "deleteWebhook", "close", "logOut", "getMe", "GETUPDATES",
		"getManagedBotToken", "replaceManagedBotToken", "REPLACEMANAGEDBOTTOKEN",
		"send message", "../getMe", "sendMessage?chat_id=1", "-", "send\\u0000Message", strings.Repeat("a", 65), "отправить",
	} {
		existing := serve(t, body("application/json", `{"method":"`+method+`","secret_token":"hidden"}`))
		botAPI := serve(t, body("application/json", sent))
		r := start(t, forward.Target{URL: existing.URL}, botAPI)
		for range 2 {
			if err := r.turn(t.Context()); err != nil || len(botAPI.requests()) != 0 || len(existing.requests()) != 1 {
				t.Errorf("%s: %v, %d calls", method, err, len(botAPI.requests()))
			}
		}
		if n := r.replies("ignored"); n != 2 {
			t.Errorf("%s: %d ignored, want 2", method, n)
		}
		for _, e := range r.journal.entries {
			if strings.Contains(string(e), "hidden") {
				t.Errorf("%s: the journal keeps %s", method, e)
			}
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

// replies is chatlane_forward_replies_total.
func (r *rig) replies(outcome string) int {
	families, err := r.reg.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "chatlane_forward_replies_total" && m.GetLabel()[0].GetValue() == outcome {
				return int(m.GetCounter().GetValue())
			}
		}
	}
	return 0
}

// What a bot says with its error is for the dead letter: bounded, and without secrets. The log has the status alone.
func TestTheBodyOfAnErrorIsADetailOfIt(t *testing.T) {
	const hook, secret = "/hook/9f8e7d6c?key=letmein", "webhook-secret-1"
	long := strings.Repeat("x", 900) + " " + botToken + " " + strings.Repeat("y", 200_000)
	for said, want := range map[string]string{
		"TypeError: cannot read \"id\"":                           "TypeError: cannot read \"id\"",
		"token " + botToken + " of bot":                           "token [redacted] of bot",
		"POST " + hook + " with " + secret + " at /hook/9f8e7d6c": "POST [redacted] with [redacted] at [redacted]",
		"bad \xff bytes":                                          "bad ? bytes",
		long:                                                      strings.Repeat("x", 900) + " [redacted] " + strings.Repeat("y", 1<<10-900-2-len("[redacted]")),
	} {
		existing := serve(t, func(w http.ResponseWriter, _ int) { http.Error(w, said, http.StatusInternalServerError) })
		r := start(t, forward.Target{URL: existing.URL + hook, Secret: secret}, serve(t, status(500)))
		err := r.turn(t.Context())
		var no *forward.StatusError
		if !errors.As(err, &no) || no.Detail() != want {
			t.Errorf("%.60q: detail is %.60q", said, no.Detail())
		}
		if text := err.Error() + r.logs.String(); !strings.HasSuffix(err.Error(), "500 Internal Server Error") || strings.Contains(text, "TypeError") || strings.Contains(text, "bytes") {
			t.Errorf("the body shows: %s", text)
		}
	}
}
