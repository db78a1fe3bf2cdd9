package api_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/telegram/api"
)

// watch is a limiter that notes what it is asked.
type watch struct {
	mu     sync.Mutex
	waits  [][2]int64
	blocks []blocked
	err    error
}

type blocked struct {
	bot, chat int64
	d         time.Duration
}

func (w *watch) Wait(ctx context.Context, bot, chat int64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waits = append(w.waits, [2]int64{bot, chat})
	return errors.Join(w.err, ctx.Err())
}

func (w *watch) Block(_ context.Context, bot, chat int64, d time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.blocks = append(w.blocks, blocked{bot, chat, d})
	return w.err
}

func TestOnlySendingWaitsForTheLimit(t *testing.T) {
	a := start(t, say(200, `{"ok":true,"result":true}`))
	l := &watch{}
	c := a.client(api.Config{}, l)
	for _, call := range []struct {
		method string
		chat   any
		want   int64 // -1: does not wait
	}{
		{"sendMessage", 5, 5},
		{"sendPhoto", "-100123", -100123},
		{"copyMessages", "@channel", 0},
		{"forwardMessage", -7, -7},
		{"editMessageText", nil, 0}, // an inline message
		{"sendChatAction", 5, -1},
		{"sendMessageDraft", 5, -1},
		{"editForumTopic", 5, -1},
		{"getChat", 5, -1},
		{"deleteMessage", 5, -1},
		{"answerCallbackQuery", nil, -1},
	} {
		l.waits = nil
		params := map[string]any{"a": map[string]int{"chat_id": 9}, "text": "x"}
		if call.chat != nil {
			params["chat_id"] = call.chat
		}
		if _, err := c.Call(t.Context(), token(t), call.method, params); err != nil {
			t.Fatal(err)
		}
		switch {
		case call.want == -1 && len(l.waits) != 0:
			t.Errorf("%s waited", call.method)
		case call.want != -1 && (len(l.waits) != 1 || l.waits[0] != [2]int64{tokenBot, call.want}):
			t.Errorf("%s waited for %v, want %d", call.method, l.waits, call.want)
		}
	}
}

func TestA429HoldsTheLimiterAndReturnsAtOnce(t *testing.T) {
	a := start(t, say(429, `{"ok":false,"error_code":429,"description":"x","parameters":{"retry_after":30}}`))
	l := &watch{}
	c := a.client(api.Config{}, l)
	began := time.Now()
	for _, params := range []string{`{"chat_id":5}`, `{"inline_message_id":"x"}`} {
		raw := []byte(params)
		if _, err := c.Call(t.Context(), token(t), "editMessageText", jsonRaw(raw)); api.RetryAfter(a.met(err)) != 30*time.Second {
			t.Errorf("error %v", err)
		}
	}
	if _, err := c.Call(t.Context(), token(t), "answerCallbackQuery", nil); !errors.Is(a.met(err), api.ErrTooMany) {
		t.Errorf("error %v", err)
	}
	if len(l.blocks) != 2 || l.blocks[0] != (blocked{tokenBot, 5, 30 * time.Second}) || l.blocks[1] != (blocked{tokenBot, 0, 30 * time.Second}) {
		t.Errorf("blocks %v", l.blocks)
	}
	if time.Since(began) > 5*time.Second {
		t.Error("the client waited itself")
	}
}

func TestABrokenLimiterLetsCallsThrough(t *testing.T) {
	a := start(t, say(200, sent))
	c := a.client(api.Config{}, &watch{err: errors.New("no redis")})
	if _, err := c.Call(t.Context(), token(t), "sendMessage", nil); err != nil {
		t.Error(err)
	}
	if a.count("chatlane_telegram_unlimited_total") != 1 {
		t.Error("not counted")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.Call(ctx, token(t), "sendMessage", nil)
	if !errors.Is(err, context.Canceled) || len(a.requests()) != 1 {
		t.Errorf("error %v with %d requests", err, len(a.requests()))
	}
}

func TestCallsFollowAGroupThatBecameASupergroup(t *testing.T) {
	const gone = `{"ok":false,"error_code":400,"description":"x","parameters":{"migrate_to_chat_id":-1005}}`
	a := start(t, func(w http.ResponseWriter, n int, s seen) {
		if s.params["chat_id"] == float64(-1005) {
			say(200, sent)(w, n, s)
			return
		}
		say(400, gone)(w, n, s)
	})
	var moves [][3]int64
	c := a.client(api.Config{Migrated: func(bot, from, to int64) { moves = append(moves, [3]int64{bot, from, to}) }}, nil)
	for _, params := range []string{`{"text":"x","chat_id": -5 ,"a":{"chat_id":-5}}`, `{"chat_id":"-5"}`} {
		if _, err := c.Call(t.Context(), token(t), "sendMessage", jsonRaw([]byte(params))); err != nil {
			t.Error(err)
		}
	}
	if len(moves) != 2 || moves[0] != [3]int64{tokenBot, -5, -1005} || a.count("chatlane_telegram_migrations_total") != 2 {
		t.Errorf("moves %v", moves)
	}
	if s := a.requests()[1]; s.params["text"] != "x" || s.params["a"].(map[string]any)["chat_id"] != float64(-5) {
		t.Errorf("repeated with %v", s.params)
	}
	_, err := c.Call(t.Context(), token(t), "sendMessage", jsonRaw([]byte(`{"chat_id":"@group"}`)))
	if !errors.Is(err, api.ErrMigrated) {
		t.Errorf("error %v", err)
	}
}
