package api_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	ta "github.com/mymmrac/telego/telegoapi"

	"github.com/chatlane/chatlane/internal/telegram/api"
)

func TestAnswersThatSayNoAreTyped(t *testing.T) {
	sentinels := []error{
		api.ErrBadRequest, api.ErrUnauthorized, api.ErrBlocked, api.ErrConflict, api.ErrTooMany,
		api.ErrServer, api.ErrMigrated, api.ErrNotModified, api.ErrAnswerLost, api.ErrUnreachable, api.ErrMaybeSent,
	}
	for _, tt := range []struct {
		name      string
		status    int
		body      string
		header    []string
		want      api.Error
		is        []error
		blameless bool
	}{
		{
			"bad request", 400, `{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}`, nil,
			api.Error{Code: 400, Description: "Bad Request: chat not found"},
			[]error{api.ErrBadRequest},
			false,
		},
		{
			"not modified", 400, `{"ok":false,"error_code":400,"description":"Bad Request: message is not modified: specified"}`, nil,
			api.Error{Code: 400, Description: "Bad Request: message is not modified: specified"},
			[]error{api.ErrBadRequest, api.ErrNotModified},
			false,
		},
		{
			"token refused", 401, `{"ok":false,"error_code":401,"description":"Unauthorized"}`, nil,
			api.Error{Code: 401, Description: "Unauthorized"},
			[]error{api.ErrUnauthorized},
			false,
		},
		{
			"blocked", 403, `{"ok":false,"error_code":403,"description":"Forbidden: bot was blocked by the user"}`, nil,
			api.Error{Code: 403, Description: "Forbidden: bot was blocked by the user"},
			[]error{api.ErrBlocked},
			false,
		},
		{
			"conflict", 409, `{"ok":false,"error_code":409,"description":"Conflict"}`, nil,
			api.Error{Code: 409, Description: "Conflict"},
			[]error{api.ErrConflict},
			false,
		},
		{
			"too many", 429, `{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 7","parameters":{"retry_after":7}}`,
			[]string{"Retry-After", "9"},
			api.Error{Code: 429, Description: "Too Many Requests: retry after 7", RetryAfter: 7 * time.Second},
			[]error{api.ErrTooMany},
			true,
		},
		{
			"too many, by header", 429, `<html>slow down</html>`,
			[]string{"Retry-After", "9"},
			api.Error{Code: 429, Description: "Too Many Requests", RetryAfter: 9 * time.Second, Gateway: true},
			[]error{api.ErrTooMany},
			true,
		},
		{
			"too many, nobody says how long", 429, `null`,
			[]string{"Retry-After", "Wed, 21 Oct 2026 07:28:00 GMT"},
			api.Error{Code: 429, Description: "Too Many Requests", RetryAfter: time.Second, Gateway: true},
			[]error{api.ErrTooMany},
			true,
		},
		{
			"too many, absurdly long", 429, `{"ok":false,"error_code":429,"parameters":{"retry_after":9223372036854775807}}`, nil,
			api.Error{Code: 429, Description: "Too Many Requests", RetryAfter: 24 * time.Hour},
			[]error{api.ErrTooMany},
			true,
		},
		{
			"too many under a gateway's status", 502, `{"ok":false,"error_code":429,"description":"Too Many","parameters":{"retry_after":5}}`, nil,
			api.Error{Code: 429, Description: "Too Many", RetryAfter: 5 * time.Second},
			[]error{api.ErrTooMany},
			true,
		},
		{
			"migrated, to where the call cannot go", 400, `{"ok":false,"error_code":400,"description":"Bad Request: group chat was upgraded to a supergroup chat","parameters":{"migrate_to_chat_id":-1005}}`, nil,
			api.Error{Code: 400, Description: "Bad Request: group chat was upgraded to a supergroup chat", MigrateTo: -1005},
			[]error{api.ErrBadRequest, api.ErrMigrated},
			false,
		},
		{
			"server error", 500, `{"ok":false,"error_code":500,"description":"Internal Server Error: restart"}`, nil,
			api.Error{Code: 500, Description: "Internal Server Error: restart"},
			[]error{api.ErrServer},
			true,
		},
		{"gateway's page", 502, `<html>502 Bad Gateway</html>`, nil, api.Error{Code: 502, Description: "Bad Gateway", Gateway: true}, []error{api.ErrServer}, true},
		{"gateway's bare 403", 403, `<html>403 Forbidden</html>`, nil, api.Error{Code: 403, Description: "Forbidden", Gateway: true}, nil, false},
		{"empty gateway", 504, ``, nil, api.Error{Code: 504, Description: "Gateway Timeout", Gateway: true}, []error{api.ErrServer}, true},
		{"too large for the proxy", 413, `<html>`, nil, api.Error{Code: 413, Description: "Request Entity Too Large", Gateway: true}, nil, false},
		{"no and no reason", 200, `{"ok":false}`, nil, api.Error{Code: 500, Description: "Internal Server Error", Gateway: true}, []error{api.ErrServer}, true},
		{"null", 200, `null`, nil, api.Error{Code: 500, Description: "Internal Server Error", Gateway: true}, []error{api.ErrServer}, true},
		{"null and a status", 404, `null`, nil, api.Error{Code: 404, Description: "Not Found", Gateway: true}, nil, false},
		{"redirect", 302, ``, []string{"Location", "/elsewhere"}, api.Error{Code: 302, Description: "Found", Gateway: true}, nil, false},
		{
			"token in the description", 404, `{"ok":false,"error_code":404,"description":"no bot ` + tokenText + `"}`, nil,
			api.Error{Code: 404, Description: "no bot [redacted]"},
			nil, false,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := start(t, say(tt.status, tt.body, tt.header...))
			_, err := a.client(api.Config{}, nil).Call(t.Context(), token(t), "sendMessage", nil)
			tt.want.Method = "sendMessage"
			got, ok := errors.AsType[*api.Error](a.met(err))
			if !ok || *got != tt.want {
				t.Fatalf("error %+v, want %+v", got, tt.want)
			}
			for _, s := range sentinels {
				want := slices.ContainsFunc(tt.is, func(is error) bool { return errors.Is(is, s) })
				if errors.Is(err, s) != want {
					t.Errorf("is %q: %v, want %v", s, !want, want)
				}
			}
			theirs, ok := errors.AsType[*ta.Error](err)
			if ok == got.Gateway || ok && (theirs.ErrorCode != tt.want.Code || (theirs.Parameters != nil) != (got.RetryAfter > 0 || got.MigrateTo != 0)) {
				t.Errorf("as telego's: %+v", theirs)
			}
			if got.Blameless() != tt.blameless || api.RetryAfter(err) != got.RetryAfter {
				t.Errorf("blameless %v, retry after %v", got.Blameless(), api.RetryAfter(err))
			}
			if strings.Contains(err.Error(), secretPart) {
				t.Error("the token is in the error")
			}
		})
	}
}

func TestLostAnswersSaySo(t *testing.T) {
	for _, tt := range []struct {
		name  string
		cfg   api.Config
		reply func(http.ResponseWriter, int, seen)
	}{
		{"hang-up after the request was read", api.Config{}, func(w http.ResponseWriter, _ int, _ seen) { hangUp(w, "") }},
		{"hang-up in the header", api.Config{}, func(w http.ResponseWriter, _ int, _ seen) { hangUp(w, "HTTP/1.1 200 OK\r\nContent-Le") }},
		{"hang-up in the body", api.Config{}, func(w http.ResponseWriter, _ int, _ seen) {
			hangUp(w, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"+sent[:30])
		}},
		{"no answer in time", api.Config{Timeout: 50 * time.Millisecond}, func(w http.ResponseWriter, _ int, _ seen) {
			<-wait(w)
		}},
		{"somebody else's answer", api.Config{}, say(200, "<html>please log in</html>")},
		{"no HTTP", api.Config{}, func(w http.ResponseWriter, _ int, _ seen) { hangUp(w, "SSH-2.0-x\r\n") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := start(t, tt.reply)
			_, err := a.client(tt.cfg, nil).Call(t.Context(), token(t), "sendMessage", nil)
			var lost *api.TransportError
			broken := tt.name == "hang-up in the body" || tt.name == "somebody else's answer" // an answer came
			if !errors.Is(a.met(err), api.ErrAnswerLost) || !errors.As(err, &lost) || !lost.Lost || lost.Blameless() == broken {
				t.Errorf("error %v", err)
			}
			if api.IsServerFault(err) || errors.Is(err, api.ErrUnreachable) || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v is more than lost", err)
			}
			if n := len(a.requests()); n != 1 {
				t.Errorf("%d requests, want 1: only the turn may repeat it", n)
			}
			if a.count("chatlane_telegram_answers_lost_total") != 1 || a.count("chatlane_telegram_calls_total", "sendMessage", "answer_lost") != 1 {
				t.Error("not counted")
			}
		})
	}
}

// wait ends when the client has gone.
func wait(w http.ResponseWriter) <-chan struct{} {
	gone := make(chan struct{})
	conn, buf, err := http.NewResponseController(w).Hijack()
	if err != nil {
		close(gone)
		return gone
	}
	go func() {
		defer close(gone)
		_, _ = buf.ReadByte()
		_ = conn.Close()
	}()
	return gone
}

func TestWhatNeverLeftIsTriedAgainAndIsNoLostAnswer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close() // nobody listens there now
	a := start(t, nil)
	a.URL = "http://" + l.Addr().String()
	c := a.client(api.Config{Attempts: 4}, nil)
	_, err = c.Call(t.Context(), token(t), "sendMessage", nil)
	if !errors.Is(a.met(err), api.ErrUnreachable) || !api.IsServerFault(err) || errors.Is(err, api.ErrAnswerLost) {
		t.Errorf("error %v", err)
	}
	if n := a.count("chatlane_telegram_retries_total"); n != 3 {
		t.Errorf("%v retries, want 3", n)
	}
}

func TestServerErrorsAreTriedAgain(t *testing.T) {
	a := start(t, func(w http.ResponseWriter, n int, s seen) {
		if n < 3 {
			say(500, `{"ok":false,"error_code":500,"description":"x"}`)(w, n, s)
			return
		}
		say(200, sent)(w, n, s)
	})
	c := a.client(api.Config{}, nil)
	result, err := c.Account(token(t)).Call(t.Context(), "sendMessage", map[string]any{"chat_id": 5, "text": "hi"})
	if err != nil || !strings.Contains(string(result), `"message_id":7`) {
		t.Errorf("%s, %v", result, err)
	}
	if n := len(a.requests()); n != 3 || a.count("chatlane_telegram_retries_total") != 2 || a.count("chatlane_telegram_call_seconds") != 3 {
		t.Errorf("%d requests, want 3, and counted", n)
	}
	spans := a.spans.GetSpans()
	if len(spans) != 1 || spans[0].Name != "telegram.sendMessage" {
		t.Errorf("spans %v, want one telegram.sendMessage", spans)
	}
}

func TestUnknownMethodsMakeNoLabels(t *testing.T) {
	a := start(t, say(200, `{"ok":true,"result":true}`))
	c := a.client(api.Config{}, nil)
	for _, method := range []string{"sendMoment", "deleteEverything"} {
		if _, err := c.Call(t.Context(), token(t), method, nil); err != nil {
			t.Error(err)
		}
	}
	for _, method := range []string{"", "../getMe", "get Me", "getMe?x=1", "getMe/../x"} {
		if _, err := c.Call(t.Context(), token(t), method, nil); err == nil {
			t.Errorf("%q was called", method)
		}
	}
	if n := a.count("chatlane_telegram_calls_total", "other", "ok"); n != 2 || len(a.requests()) != 2 {
		t.Errorf("%v calls labelled other, want 2", n)
	}
	if s := a.spans.GetSpans(); s[0].Name != "telegram.other" {
		t.Errorf("span %s", s[0].Name)
	}
}

func TestTheCallersContextEndsACall(t *testing.T) {
	stop := errors.New("turn has ended")
	a := start(t, func(w http.ResponseWriter, _ int, _ seen) { <-wait(w) })
	c := a.client(api.Config{}, nil)
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		for len(a.requests()) == 0 {
			time.Sleep(time.Millisecond)
		}
		cancel(stop)
	}()
	_, err := c.Call(ctx, token(t), "sendMessage", nil)
	lost, ok := errors.AsType[*api.TransportError](a.met(err))
	if !ok || !errors.Is(err, stop) || !errors.Is(err, api.ErrAnswerLost) || lost.Blameless() {
		t.Errorf("error %v, want a lost answer that is the caller's doing", err)
	}
	_, err = c.Call(ctx, token(t), "sendMessage", nil)
	if !errors.Is(a.met(err), stop) || !errors.Is(err, context.Canceled) || errors.Is(err, api.ErrAnswerLost) || api.IsServerFault(err) {
		t.Errorf("error %v, want nothing but the end of the context", err)
	}
	if n := len(a.requests()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

func TestAnswersThatAreTooLongEndTheCall(t *testing.T) {
	a := start(t, say(200, `{"ok":true,"result":"`+strings.Repeat("x", 5000)+`"}`))
	_, err := a.client(api.Config{MaxAnswer: 4096}, nil).Call(t.Context(), token(t), "getFile", nil)
	if a.met(err) == nil || api.IsServerFault(err) || errors.Is(err, api.ErrAnswerLost) {
		t.Errorf("error %v", err)
	}
}

// slow answers after a time, in a bubble.
type slow time.Duration

func (d slow) RoundTrip(r *http.Request) (*http.Response, error) {
	select {
	case <-time.After(time.Duration(d)):
		return nil, errors.New("answered")
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

func TestLongPollsMayTakeTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := api.NewClient(api.Config{Timeout: 15 * time.Second, Attempts: 1, Transport: slow(64 * time.Second)}, nil, nil)
		for _, tt := range []struct {
			method string
			poll   int
			want   string
			after  time.Duration
		}{
			{"getUpdates", 50, "answered", 64 * time.Second},
			{"getUpdates", 40, "no answer in time", 55 * time.Second},
			{"sendMessage", 50, "no answer in time", 15 * time.Second},
		} {
			began := time.Now()
			_, err := c.Call(t.Context(), token(t), tt.method, map[string]int{"timeout": tt.poll})
			if err == nil || !strings.Contains(err.Error(), tt.want) || time.Since(began) != tt.after {
				t.Errorf("%s with timeout %d: %v after %v", tt.method, tt.poll, err, time.Since(began))
			}
		}
	})
}
