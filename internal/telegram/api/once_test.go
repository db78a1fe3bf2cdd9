package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/mymmrac/telego"
	tu "github.com/mymmrac/telego/telegoutil"

	"github.com/chatlane/chatlane/internal/telegram/api"
)

func TestAtMostOnceIsNeverSentTwice(t *testing.T) {
	for _, tt := range []struct {
		name  string
		reply func(http.ResponseWriter, int, seen)
		maybe bool // the outcome is open after the first request
		again int  // requests of the next attempt
	}{
		{"hang-up", func(w http.ResponseWriter, n int, s seen) { hangUp(w, "") }, true, 0},
		{"500", say(500, `{"ok":false,"error_code":500}`), true, 0},
		{"429", say(429, `{"ok":false,"error_code":429,"parameters":{"retry_after":3}}`), false, 1},
		{"401", say(401, `{"ok":false,"error_code":401}`), false, 1},
		{"403", say(403, `{"ok":false,"error_code":403}`), false, 0},
		{"sent", say(200, sent), false, 0},
	} {
		for _, by := range []string{"method", "context"} {
			t.Run(tt.name+" by "+by, func(t *testing.T) {
				a := start(t, tt.reply)
				cfg, ctx := api.Config{AtMostOnce: []string{"sendInvoice"}}, t.Context()
				if by == "context" {
					cfg, ctx = api.Config{}, api.AtMostOnce(ctx)
				}
				c := a.client(cfg, nil)
				j := newBook()
				_, err := c.Turn(token(t), j, nil).Call(ctx, "sendInvoice", text(5, "x"))
				if errors.Is(a.met(err), api.ErrMaybeSent) != tt.maybe || len(a.requests()) != 1 {
					t.Errorf("error %v after %d requests", err, len(a.requests()))
				}
				if tt.maybe && (errors.Is(err, api.ErrAnswerLost) || api.IsServerFault(err)) {
					t.Errorf("error %v asks for another attempt", err)
				}
				_, err = c.Turn(token(t), j.loaded(), nil).Call(ctx, "sendInvoice", text(5, "x"))
				if errors.Is(a.met(err), api.ErrMaybeSent) != tt.maybe || len(a.requests()) != 1+tt.again {
					t.Errorf("second attempt: error %v after %d requests", err, len(a.requests()))
				}
			})
		}
	}
}

// A worker that dies between intent and answer leaves the intent alone.
func TestAnIntentWithoutResultMeansMaybeSent(t *testing.T) {
	a := start(t, numbered)
	c := a.client(api.Config{AtMostOnce: []string{"sendMessage"}}, nil)
	j := newBook()
	var intent *book
	j.before = func() {
		if intent == nil && len(j.entries) == 1 {
			intent = j.loaded() // as the second entry is about to be written
		}
	}
	if _, err := c.Turn(token(t), j, nil).Call(t.Context(), "sendMessage", text(5, "x")); err != nil {
		t.Fatal(err)
	}
	_, err := c.Turn(token(t), intent, nil).Call(t.Context(), "sendMessage", text(5, "x"))
	if !errors.Is(err, api.ErrMaybeSent) || len(a.requests()) != 1 {
		t.Errorf("error %v after %d requests", err, len(a.requests()))
	}
	result, err := c.Turn(token(t), j, nil).Call(t.Context(), "sendMessage", text(5, "x"))
	if id(t, result, err) != 1 || len(a.requests()) != 1 {
		t.Error("the result took the intent's place, and was not found")
	}
	j.fail = errors.New("no redis")
	if _, err = c.Turn(token(t), &book{fail: j.fail}, nil).Call(t.Context(), "sendMessage", text(5, "y")); !errors.Is(err, j.fail) || len(a.requests()) != 1 {
		t.Errorf("sent without a recorded intent: %v", err)
	}
}

func TestALostAnswerIsMadeGoodByTheNextAttempt(t *testing.T) {
	a := start(t, func(w http.ResponseWriter, n int, s seen) {
		if n == 2 {
			hangUp(w, "")
			return
		}
		numbered(w, n, s)
	})
	c := a.client(api.Config{}, nil)
	j := newBook()
	run := func() (string, error) {
		calls := c.Turn(token(t), j, nil)
		one, err := calls.Call(t.Context(), "sendMessage", text(5, "one"))
		if err != nil {
			return "", err
		}
		two, err := calls.Call(t.Context(), "sendMessage", text(5, "two"))
		if err != nil {
			return "", err
		}
		return fmt.Sprint(id(t, one, nil), id(t, two, nil)), nil
	}
	if _, err := run(); !errors.Is(a.met(err), api.ErrAnswerLost) {
		t.Errorf("error %v", err)
	}
	if got, err := run(); err != nil || got != "1 3" {
		t.Errorf("%s, %v: want the first from the journal, the second anew", got, err)
	}
	if n := a.count("chatlane_telegram_journal_divergences_total"); n != 0 {
		t.Errorf("%v divergences, want none: it is the same call", n)
	}
}

func TestAClosedTurnCallsNoMore(t *testing.T) {
	abandoned := errors.New("handler was abandoned")
	release := make(chan struct{})
	a := start(t, func(w http.ResponseWriter, n int, s seen) {
		if n == 1 {
			close(release)
			<-wait(w)
			return
		}
		numbered(w, n, s)
	})
	c := a.client(api.Config{}, nil)
	calls := c.Turn(token(t), newBook(), nil)
	var all sync.WaitGroup
	all.Go(func() {
		_, err := calls.Bot().SendMessage(context.Background(), tu.Message(tu.ID(5), "late")) // a context of its own
		if !errors.Is(a.met(err), abandoned) || !errors.Is(err, api.ErrAnswerLost) {
			t.Errorf("call under way: %v", err)
		}
	})
	<-release
	calls.Close(abandoned)
	calls.Close(nil)
	all.Wait()
	for _, call := range []func() error{
		func() error { _, err := calls.Call(t.Context(), "sendMessage", nil); return err },
		func() error { _, err := calls.Call(t.Context(), "getMe", nil); return err },
		func() error { return calls.Bot().AnswerCallbackQuery(t.Context(), tu.CallbackQuery("1")) },
	} {
		if err := call(); !errors.Is(err, abandoned) || !errors.Is(err, api.ErrClosed) {
			t.Errorf("late call: %v", err)
		}
	}
	if n := len(a.requests()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

func TestMiddlewareIsAroundTheJournal(t *testing.T) {
	a := start(t, numbered)
	c := a.client(api.Config{}, nil)
	var order []string
	note := func(name string) api.Around {
		return func(next api.CallFunc) api.CallFunc {
			return func(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error) {
				order = append(order, name+" "+method)
				if strings.Contains(string(params), "stop") {
					return nil, io.ErrNoProgress
				}
				result, err := next(ctx, method, []byte(strings.Replace(string(params), "hi", "hi "+name, 1)))
				order = append(order, name+" done")
				return result, err
			}
		}
	}
	j := newBook()
	for range 2 {
		calls := c.Turn(token(t), j, []api.Around{note("outer"), note("inner")})
		if _, err := calls.Call(t.Context(), "sendMessage", text(5, "hi")); err != nil {
			t.Error(err)
		}
		if _, err := calls.Call(t.Context(), "sendMessage", text(5, "stop")); !errors.Is(err, io.ErrNoProgress) {
			t.Error(err)
		}
	}
	if got := strings.Join(order[:5], ", "); got != "outer sendMessage, inner sendMessage, inner done, outer done, outer sendMessage" {
		t.Errorf("order: %s", got)
	}
	if s := a.requests(); len(s) != 1 || s[0].params["text"] != "hi inner outer" || len(order) != 10 {
		t.Errorf("requests %v", s)
	}
}

func TestTheWholeBotAPIGoesThroughTheJournal(t *testing.T) {
	a := start(t, func(w http.ResponseWriter, n int, s seen) {
		switch s.method {
		case "getMe":
			say(200, `{"ok":true,"result":{"id":42,"is_bot":true,"first_name":"Lane","username":"lane_bot"}}`)(w, n, s)
		case "answerCallbackQuery":
			say(403, `{"ok":false,"error_code":403,"description":"Forbidden"}`)(w, n, s)
		default:
			numbered(w, n, s)
		}
	})
	c := a.client(api.Config{}, nil)
	j := newBook()
	for range 2 {
		bot := c.Turn(token(t), j, nil).Bot()
		me, err := bot.GetMe(t.Context())
		if err != nil || me.Username != "lane_bot" || a.requests()[0].params == nil {
			t.Errorf("getMe: %v, %v", me, err)
		}
		m, err := bot.SendMessage(t.Context(), tu.Message(tu.ID(5), "<b>&").WithReplyMarkup(&telego.InlineKeyboardMarkup{}))
		if err != nil || m.MessageID != 2 {
			t.Errorf("sendMessage: %v, %v", m, err)
		}
		err = bot.AnswerCallbackQuery(t.Context(), tu.CallbackQuery("1"))
		if !errors.Is(a.met(err), api.ErrBlocked) {
			t.Errorf("answerCallbackQuery: %v", err)
		}
		if strings.Contains(bot.Token()+bot.FileDownloadURL("x"), secretPart) {
			t.Error("telego knows the token")
		}
	}
	if n := len(a.requests()); n != 4 { // getMe twice
		t.Errorf("%d requests, want 4", n)
	}
}

func TestForeignEntriesAreNoneOfOurs(t *testing.T) {
	a := start(t, numbered)
	c := a.client(api.Config{}, nil)
	j := newBook()
	const damaged = "what no version writes"
	j.entries[0] = []byte(damaged)
	result, err := c.Turn(token(t), j, nil).Call(t.Context(), "sendMessage", text(5, "x"))
	if id(t, result, err) != 1 || string(j.entries[0]) != damaged {
		t.Error("a damaged entry was taken for ours, or overwritten")
	}
}
