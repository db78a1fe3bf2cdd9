package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/telegram/api"
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
	c := a.client(api.Config{}, nil)
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
	c := a.client(api.Config{}, nil)
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
	c := a.client(api.Config{}, nil)
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
	c := a.client(api.Config{}, nil)
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

func TestCallOnItsWayWaitsForItsAnswerWhenItsContextEnds(t *testing.T) {
	ended := errors.New("partition lost")
	for _, tt := range []struct {
		name, method string
		linger       time.Duration
		answered     bool
	}{
		{"kept", "sendMessage", time.Minute, true},
		{"for a bounded time", "sendMessage", time.Millisecond, false},
		{"not what only reads", "getChat", time.Minute, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			a := start(t, func(w http.ResponseWriter, _ int, _ seen) {
				cancel(ended)
				if !tt.answered {
					<-wait(w)
					return
				}
				<-time.After(20 * time.Millisecond) // for the client to notice the end
				_, _ = io.WriteString(w, sent)
			})
			j := newBook()
			_, err := a.client(api.Config{Linger: tt.linger}, nil).Turn(token(t), j, nil).Call(ctx, tt.method, text(5, "x"))
			if answered := a.met(err) == nil; answered != tt.answered || !answered && !errors.Is(err, ended) {
				t.Errorf("error %v", err)
			}
			if kept := len(j.entries) == 1; kept != tt.answered {
				t.Errorf("in the journal: %v, want %v", kept, tt.answered)
			}
		})
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
		{"sendMessage", 404, `{"ok":false,"error_code":404}`, true},
		{"sendMessage", 404, `<html>`, false},
		{"sendMessage", 403, `<html>Forbidden</html>`, false},
		{"sendMessage", 400, `{"ok":false,"error_code":400,"description":"Bad Request: file is temporarily unavailable"}`, false},
		{"sendMessage", 429, `{"ok":false,"error_code":429,"parameters":{"retry_after":3}}`, false},
		{"sendMessage", 500, `{"ok":false,"error_code":500}`, false},
		{"answerCallbackQuery", 200, `{"ok":true,"result":true}`, true},
		{"getChat", 200, `{"ok":true,"result":{"id":5}}`, false},
		{"sendChatAction", 200, `{"ok":true,"result":true}`, false},
	} {
		a := start(t, say(tt.status, tt.body))
		c := a.client(api.Config{}, nil)
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
