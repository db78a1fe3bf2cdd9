package turn_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/turn"
)

// refuse has the Bot API refuse a text, and counts how often it was asked.
func (r *rig) refuse(text string, code int, body string) (asked func() int) {
	n := 0
	r.answer = func(_ string, params map[string]any) (int, string) {
		if params["text"] != text {
			return 0, ""
		}
		n++
		return code, body
	}
	return func() int { r.mu.Lock(); defer r.mu.Unlock(); return n }
}

// Telegram's own refusal is final. Temporary ones, and a gateway's, are tried again.
func TestFinalRefusalIsNotRetried(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		code       int
		letter     string
		within     time.Duration
	}{
		{"not modified", `{"ok":false,"error_code":400,"description":"Bad Request: message is not modified"}`, 400, "1 refused 1", time.Second},
		{"too old", `{"ok":false,"error_code":400,"description":"Bad Request: query is too old and response timeout expired or query ID is invalid"}`, 400, "1 refused 1", time.Second},
		{"too long", `{"ok":false,"error_code":400,"description":"Bad Request: message is too long"}`, 400, "1 refused 1", time.Second},
		{"chat not found", `{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}`, 400, "1 refused 1", time.Second},
		{"topic closed", `{"ok":false,"error_code":400,"description":"Bad Request: TOPIC_CLOSED"}`, 400, "1 refused 1", time.Second},
		{"blocked", `{"ok":false,"error_code":403,"description":"Forbidden: bot was blocked by the user"}`, 403, "1 refused 1", time.Second},
		{"no such method", `{"ok":false,"error_code":404,"description":"Not Found: method not found"}`, 404, "1 refused 1", time.Second},
		{"token refused", `{"ok":false,"error_code":401,"description":"Unauthorized"}`, 401, "1 error 3", time.Minute},
		{"a gateway's page", `<html>403 Forbidden</html>`, 403, "1 error 3", time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.cfg = turn.Config{MaxAttempts: 3}
				asked := r.refuse("no", tt.code, tt.body)
				b := bot.New("refused")
				b.Message(echo)
				r.work(b)
				r.say(1, "no")
				r.say(1, "behind it")
				r.expect(tt.within, "1 behind it")
				if got := r.letters(); !slices.Equal(got, []string{tt.letter}) {
					t.Errorf("dead letters: %q, want %q", got, tt.letter)
				}
				want := 1
				if strings.HasSuffix(tt.letter, "3") {
					want = 3
				}
				if asked() != want {
					t.Errorf("%d calls, want %d", asked(), want)
				}
				r.empty()
			})
		})
	}
}

func TestCallThatMayHaveBeenSentEndsItsTurn(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		asked := r.refuse("no", 500, `{"ok":false,"error_code":500,"description":"restart"}`)
		b := bot.New("once")
		b.Message(func(ctx context.Context, tt *bot.Turn) error { return tt.Answer(bot.AtMostOnce(ctx), tt.Text()) })
		r.work(b)
		r.say(1, "no")
		r.say(1, "behind it")
		r.expect(time.Second, "1 behind it")
		if got := r.letters(); asked() != 1 || !slices.Equal(got, []string{"1 refused 1"}) {
			t.Errorf("%d calls, dead letters: %q", asked(), got)
		}
	})
}

// They see it as at the last attempt. Whatever they return, the update is not tried again; nil commits it.
func TestErrorHandlersSeeARefusalOnce(t *testing.T) {
	for _, tt := range []struct {
		name    string
		returns func(err error) error
		letters []string
	}{
		{"handled", func(error) error { return nil }, nil},
		{"handed on", func(err error) error { return err }, []string{"1 refused 1"}},
		{"replaced", func(error) error { return errors.New("could not do that") }, []string{"1 refused 1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.refuse("no", 403, `{"ok":false,"error_code":403,"description":"Forbidden: bot was blocked by the user"}`)
				var last []bool
				b := bot.New("rescued")
				b.Message(echo)
				b.OnError(func(ctx context.Context, tt2 *bot.Turn, err error) error {
					last = append(last, tt2.LastAttempt())
					return errors.Join(tt2.Answer(ctx, "sorry"), tt.returns(err))
				})
				r.work(b)
				r.say(1, "no")
				r.say(1, "behind it")
				r.expect(time.Second, "1 sorry", "1 behind it")
				if got := r.letters(); !slices.Equal(got, tt.letters) {
					t.Errorf("dead letters: %q, want %q", got, tt.letters)
				}
				if !slices.Equal(last, []bool{true}) {
					t.Errorf("error handlers ran for attempts that were the last ones %v, want once, the last", last)
				}
			})
		})
	}
}
