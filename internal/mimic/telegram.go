// Package mimic is a simulated Telegram: a Bot API server, and a sender that
// delivers updates to a webhook by Telegram's rules. It keeps everything in memory
// and is meant for the one-command mode, for tests and for benchmarks.
package mimic

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"
)

// Config says which bot there is. The zero value is usable.
type Config struct {
	Token    string // empty means a made-up one
	Username string // empty means "chatlane_bot"
}

// Token is the token of the simulated bot unless configured.
const Token = "424242:simulated-telegram-token-0123456789"

// Call is one executed Bot API call.
type Call struct {
	Method    string
	Chat      int64
	Text      string
	MessageID int64
	Params    json.RawMessage
	At        time.Time
	// Gone tells that the caller had hung up before the answer could reach it.
	Gone bool
	// Unheard tells that the caller died or froze at about the time of the answer.
	Unheard bool
}

// Telegram is the simulated server. Safe for concurrent use.
type Telegram struct {
	cfg   Config
	fault func(method string, chat int64) Fault

	mu       sync.Mutex
	updateID int64
	messages map[int64]int64 // last message id by chat
	calls    []Call
	changed  chan struct{} // closed and replaced with each call or delivery
	polled   []pending
	hook     *sender
}

// Fault is what goes wrong with one call. The zero value: nothing.
type Fault struct {
	Latency    time.Duration
	Status     int  // 429, 500, ... instead of executing
	RetryAfter int  // seconds, with 429
	HangUp     bool // close the connection before executing
	LoseAnswer bool // execute, then close the connection
}

type pending struct {
	id   int64
	body []byte
}

// New makes a simulated Telegram that delivers nowhere yet.
func New(cfg Config) *Telegram {
	if cfg.Token == "" {
		cfg.Token = Token
	}
	if cfg.Username == "" {
		cfg.Username = "chatlane_bot"
	}
	return &Telegram{
		cfg: cfg, updateID: time.Now().UnixMilli() % 1_000_000_000, messages: make(map[int64]int64), changed: make(chan struct{}),
		fault: func(string, int64) Fault { return Fault{} },
	}
}

// Faults injects what goes wrong from now on; f is called for each call.
func (t *Telegram) Faults(f func(method string, chat int64) Fault) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fault = f
}

// Push makes an update of the type with the given payload, and hands it to the
// webhook sender, or to whoever polls.
func (t *Telegram) Push(updateType string, payload any) (id int64) {
	body, err := json.Marshal(payload)
	if err != nil {
		panic(fmt.Sprintf("mimic: payload of %s: %v", updateType, err)) // a wiring mistake
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.updateID++
	id = t.updateID
	body = fmt.Appendf(nil, "{\"update_id\":%d,\n%q:%s}", id, updateType, body)
	if t.hook != nil {
		t.hook.push(queueOf(updateType, body), body)
	} else {
		t.polled = append(t.polled, pending{id, body})
	}
	t.wake()
	return id
}

// Calls are the executed calls so far, in order.
func (t *Telegram) Calls() []Call {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]Call(nil), t.calls...)
}

// Await waits until done is content with the executed calls.
func (t *Telegram) Await(ctx context.Context, done func([]Call) bool) error {
	for {
		t.mu.Lock()
		ok, changed := done(t.calls), t.changed
		t.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// wake tells those who wait that something happened; it needs t.mu.
func (t *Telegram) wake() {
	close(t.changed)
	t.changed = make(chan struct{})
}

// Say is a text from a person in their private chat with the bot.
func (t *Telegram) Say(user int64, name, text string) {
	t.Push("message", t.message(user, user, name, text))
}

func (t *Telegram) message(chat, user int64, name, text string) map[string]any {
	t.mu.Lock()
	t.messages[chat]++
	id := t.messages[chat]
	t.mu.Unlock()
	m := map[string]any{
		"message_id": id, "date": time.Now().Unix(), "text": text,
		"from": map[string]any{"id": user, "is_bot": false, "first_name": name},
		"chat": map[string]any{"id": chat, "type": "private", "first_name": name},
	}
	if len(text) > 1 && text[0] == '/' {
		m["entities"] = []map[string]any{{"type": "bot_command", "offset": 0, "length": len(text)}}
	}
	return m
}
