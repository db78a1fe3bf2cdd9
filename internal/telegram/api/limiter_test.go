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
	waits  []held
	blocks []held
	err    error
}

type held struct {
	bot, chat int64
	kind      string
	d         time.Duration
}

func (w *watch) Wait(ctx context.Context, bot, chat int64, kind string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waits = append(w.waits, held{bot, chat, kind, 0})
	return errors.Join(w.err, ctx.Err())
}

func (w *watch) Block(_ context.Context, bot, chat int64, kind string, d time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.blocks = append(w.blocks, held{bot, chat, kind, d})
	return w.err
}

// Only what appears as a message counts as one; an edit or another method is held by its own 429 alone.
func TestOnlyMessagesCountAsMessages(t *testing.T) {
	a := start(t, say(200, `{"ok":true,"result":true}`))
	l := &watch{}
	c := a.client(api.Config{}, l)
	for _, call := range []struct {
		method string
		chat   any
		want   int64 // above 0: a group or channel by its name
		kind   string
	}{
		{"sendMessage", 5, 5, "message"},
		{"SENDmessage", 5, 5, "message"},
		{"sendPhoto", "-100123", -100123, "message"},
		{"copyMessages", "@channel", 1, "message"},
		{"forwardMessage", -7, -7, "message"},
		{"editMessageText", 5, 5, "edit"},
		{"editMessageText", nil, 0, "edit_inline"},
		{"sendChatAction", 5, 5, "sendchataction"},
		{"sendMessageDraft", 5, 5, "sendmessagedraft"},
		{"editForumTopic", 5, 5, "editforumtopic"},
		{"getChat", 5, 5, "getchat"},
		{"deleteMessage", 5, 5, "deletemessage"},
		{"answerCallbackQuery", nil, 0, "answercallbackquery"},
	} {
		for _, bulk := range []bool{false, true} {
			l.waits = nil
			params := map[string]any{"a": map[string]int{"chat_id": 9}, "text": "x"}
			if call.chat != nil {
				params["chat_id"] = call.chat
			}
			ctx, kind := t.Context(), call.kind
			if bulk {
				if ctx = api.Bulk(ctx); kind == "message" {
					kind = "bulk"
				}
			}
			if _, err := c.Call(ctx, token(t), call.method, params); err != nil {
				t.Fatal(err)
			}
			got := l.waits[0]
			if call.want == 1 && got.chat < -1<<52 {
				got.chat = 1
			}
			if len(l.waits) != 1 || got != (held{tokenBot, call.want, kind, 0}) {
				t.Errorf("%s waited for %v, want %d as %s", call.method, l.waits, call.want, kind)
			}
		}
	}
}

func TestA429HoldsTheLimiterAndReturnsAtOnce(t *testing.T) {
	a := start(t, say(429, `{"ok":false,"error_code":429,"description":"x","parameters":{"retry_after":30}}`))
	l := &watch{}
	c := a.client(api.Config{}, l)
	began := time.Now()
	for _, call := range []struct {
		method, params string
		want           held
		into           int64
	}{
		{"editMessageText", `{"chat_id":5}`, held{tokenBot, 5, "edit", 30 * time.Second}, 5},
		{"editMessageText", `{"inline_message_id":"x"}`, held{tokenBot, 0, "edit_inline", 30 * time.Second}, 0},
		{"answerCallbackQuery", `{}`, held{tokenBot, 0, "answercallbackquery", 30 * time.Second}, 0},
		{"sendMessage", `{"chat_id":-5}`, held{tokenBot, -5, "message", 30 * time.Second}, -5},
		{"deleteMessage", `{"chat_id":5}`, held{tokenBot, 5, "deletemessage", 30 * time.Second}, 0},
	} {
		l.blocks = nil
		_, err := c.Call(t.Context(), token(t), call.method, jsonRaw([]byte(call.params)))
		no, ok := errors.AsType[*api.Error](a.met(err))
		if !ok || no.RetryAfter != 30*time.Second || no.Into != call.into {
			t.Errorf("%s: error %+v", call.method, no)
		}
		if len(l.blocks) != 1 || l.blocks[0] != call.want {
			t.Errorf("%s: blocks %v, want %v", call.method, l.blocks, call.want)
		}
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
