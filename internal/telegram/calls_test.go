package telegram_test

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

	"github.com/chatlane/chatlane/internal/telegram"
)

// numbered answers each request with its number as the message's id.
func numbered(w http.ResponseWriter, n int, _ seen) {
	_, _ = fmt.Fprintf(w, `{"ok":true,"result":{"message_id":%d,"date":1,"chat":{"id":5,"type":"private"}}}`, n)
}

func id(t *testing.T, result json.RawMessage, err error) int {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		MessageID int `json:"message_id"`
	}
	if err := json.Unmarshal(result, &m); err != nil {
		t.Fatal(err)
	}
	return m.MessageID
}

func TestALaterAttemptMakesNoCallAgain(t *testing.T) {
	a := start(t, numbered)
	c := a.client(telegram.Config{}, nil)
	j := newBook()
	attempt := func(last string) (ids []int) {
		calls := c.Turn(token(t), j.loaded(), nil)
		for _, s := range []string{"a", "b", "b", last} {
			result, err := calls.Call(t.Context(), "sendMessage", text(5, s))
			ids = append(ids, id(t, result, err))
		}
		return ids
	}
	j0 := c.Turn(token(t), j, nil)
	for i, s := range []string{"a", "b", "b"} {
		result, err := j0.Call(t.Context(), "sendMessage", text(5, s))
		if got := id(t, result, err); got != i+1 {
			t.Errorf("message %d, want %d", got, i+1)
		}
	}
	if ids := attempt("c"); fmt.Sprint(ids) != "[1 2 3 4]" {
		t.Errorf("second attempt got %v: want three results of the first, then a new one", ids)
	}
	if len(a.requests()) != 4 || a.count("chatlane_telegram_journal_replays_total") != 3 || a.count("chatlane_telegram_journal_divergences_total") != 0 {
		t.Errorf("%d requests, want 4", len(a.requests()))
	}
}

func TestADifferentCallIsMadeAnewAndCounted(t *testing.T) {
	a := start(t, numbered)
	c := a.client(telegram.Config{}, nil)
	j := newBook()
	run := func(texts ...string) (ids []int) {
		calls := c.Turn(token(t), j, nil)
		for _, s := range texts {
			result, err := calls.Call(t.Context(), "sendMessage", text(5, s))
			ids = append(ids, id(t, result, err))
		}
		return ids
	}
	run("it is 12:00", "bye")
	if ids := run("it is 12:01", "bye"); fmt.Sprint(ids) != "[3 2]" {
		t.Errorf("got %v: want a new first message and the old second", ids)
	}
	if n := a.count("chatlane_telegram_journal_divergences_total"); n != 1 {
		t.Errorf("%v divergences, want 1", n)
	}
	if ids := run("it is 12:01", "bye"); fmt.Sprint(ids) != "[3 2]" {
		t.Errorf("third attempt got %v: want what the second got", ids)
	}
	if ids := run("bye", "it is 12:00"); fmt.Sprint(ids) != "[2 1]" {
		t.Errorf("in another order got %v: want the old ones", ids)
	}
}

func TestConcurrentCallsAreNotRepeatedInWhateverOrder(t *testing.T) {
	a := start(t, numbered)
	c := a.client(telegram.Config{}, nil)
	j := newBook()
	const n = 40
	run := func(from, to int) map[int]int {
		calls := c.Turn(token(t), j.loaded(), nil)
		calls2 := calls
		if from == 0 {
			calls2 = c.Turn(token(t), j, nil)
		}
		var mu sync.Mutex
		var all sync.WaitGroup
		ids := map[int]int{}
		for i := from; i < to; i++ {
			all.Go(func() {
				result, err := calls2.Call(t.Context(), "sendMessage", text(i, "same"))
				mu.Lock()
				defer mu.Unlock()
				ids[i] = id(t, result, err)
			})
		}
		all.Wait()
		return ids
	}
	first := run(0, n)
	for i := range n / 2 { // not all were recorded when it ended
		delete(j.entries, i*2)
	}
	before := len(a.requests())
	second := run(0, n)
	same := 0
	for i, got := range second {
		if first[i] == got {
			same++
		}
	}
	if same != n/2 || len(a.requests()) != before+n/2 {
		t.Errorf("%d of %d answered from the journal, want %d", same, n, n/2)
	}
}

func TestResultsAreRecordedBeforeTheHandlerSeesThem(t *testing.T) {
	a := start(t, numbered)
	c := a.client(telegram.Config{}, nil)
	lost := errors.New("lock lost")
	j := newBook()
	j.fail = lost
	result, err := c.Turn(token(t), j, nil).Call(t.Context(), "sendMessage", text(5, "x"))
	if !errors.Is(a.met(err), lost) || result != nil {
		t.Errorf("%s, %v: want the journal's error alone", result, err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	j = newBook()
	j.before = cancel // the handler runs out of time as the answer is there
	if _, err = c.Turn(token(t), j, nil).Call(ctx, "sendMessage", text(5, "x")); err != nil {
		t.Errorf("error %v: want the answer recorded all the same", err)
	}
	if len(j.entries) != 1 {
		t.Errorf("%d entries, want 1", len(j.entries))
	}
}

func TestOnlyWhatWillNotChangeIsRecorded(t *testing.T) {
	for _, tt := range []struct {
		method string
		status int
		body   string
		kept   bool
	}{
		{"sendMessage", 200, sent, true},
		{"sendMessage", 400, `{"ok":false,"error_code":400,"description":"chat not found"}`, true},
		{"sendMessage", 403, `{"ok":false,"error_code":403,"description":"blocked"}`, true},
		{"sendMessage", 401, `{"ok":false,"error_code":401}`, false},
		{"sendMessage", 404, `{"ok":false,"error_code":404}`, false},
		{"sendMessage", 429, `{"ok":false,"error_code":429,"parameters":{"retry_after":3}}`, false},
		{"sendMessage", 500, `{"ok":false,"error_code":500}`, false},
		{"answerCallbackQuery", 200, `{"ok":true,"result":true}`, true},
		{"getChat", 200, `{"ok":true,"result":{"id":5}}`, false},
		{"sendChatAction", 200, `{"ok":true,"result":true}`, false},
	} {
		a := start(t, say(tt.status, tt.body))
		c := a.client(telegram.Config{}, nil)
		j := newBook()
		first, ferr := c.Turn(token(t), j, nil).Call(t.Context(), tt.method, text(5, "x"))
		before := len(a.requests())
		again, err := c.Turn(token(t), j, nil).Call(t.Context(), tt.method, text(5, "x"))
		if string(first) != string(again) || fmt.Sprint(ferr) != fmt.Sprint(err) {
			t.Errorf("%s %d: first %s, %v; then %s, %v", tt.method, tt.status, first, ferr, again, err)
		}
		if kept := before == len(a.requests()); kept != tt.kept || len(j.entries) > 0 != tt.kept {
			t.Errorf("%s %d: kept %v, want %v", tt.method, tt.status, kept, tt.kept)
		}
		_ = a.met(err)
	}
}

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
				cfg, ctx := telegram.Config{AtMostOnce: []string{"sendInvoice"}}, t.Context()
				if by == "context" {
					cfg, ctx = telegram.Config{}, telegram.AtMostOnce(ctx)
				}
				c := a.client(cfg, nil)
				j := newBook()
				_, err := c.Turn(token(t), j, nil).Call(ctx, "sendInvoice", text(5, "x"))
				if errors.Is(a.met(err), telegram.ErrMaybeSent) != tt.maybe || len(a.requests()) != 1 {
					t.Errorf("error %v after %d requests", err, len(a.requests()))
				}
				if tt.maybe && (errors.Is(err, telegram.ErrAnswerLost) || telegram.IsServerFault(err)) {
					t.Errorf("error %v asks for another attempt", err)
				}
				_, err = c.Turn(token(t), j.loaded(), nil).Call(ctx, "sendInvoice", text(5, "x"))
				if errors.Is(a.met(err), telegram.ErrMaybeSent) != tt.maybe || len(a.requests()) != 1+tt.again {
					t.Errorf("second attempt: error %v after %d requests", err, len(a.requests()))
				}
			})
		}
	}
}

// A worker that dies between intent and answer leaves the intent alone.
func TestAnIntentWithoutResultMeansMaybeSent(t *testing.T) {
	a := start(t, numbered)
	c := a.client(telegram.Config{AtMostOnce: []string{"sendMessage"}}, nil)
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
	if !errors.Is(err, telegram.ErrMaybeSent) || len(a.requests()) != 1 {
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
	c := a.client(telegram.Config{}, nil)
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
	if _, err := run(); !errors.Is(a.met(err), telegram.ErrAnswerLost) {
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
	c := a.client(telegram.Config{}, nil)
	calls := c.Turn(token(t), newBook(), nil)
	var all sync.WaitGroup
	all.Go(func() {
		_, err := calls.Bot().SendMessage(context.Background(), tu.Message(tu.ID(5), "late")) // a context of its own
		if !errors.Is(a.met(err), abandoned) || !errors.Is(err, telegram.ErrAnswerLost) {
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
		if err := call(); !errors.Is(err, abandoned) || !errors.Is(err, telegram.ErrClosed) {
			t.Errorf("late call: %v", err)
		}
	}
	if n := len(a.requests()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

func TestMiddlewareIsAroundTheJournal(t *testing.T) {
	a := start(t, numbered)
	c := a.client(telegram.Config{}, nil)
	var order []string
	note := func(name string) telegram.Around {
		return func(next telegram.CallFunc) telegram.CallFunc {
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
		calls := c.Turn(token(t), j, []telegram.Around{note("outer"), note("inner")})
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
	c := a.client(telegram.Config{}, nil)
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
		if !errors.Is(a.met(err), telegram.ErrBlocked) {
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
