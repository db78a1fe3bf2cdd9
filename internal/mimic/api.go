package mimic

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ServeHTTP answers Bot API calls on /bot<token>/<method>.
func (t *Telegram) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	method, ok := strings.CutPrefix(r.URL.Path, "/bot"+t.cfg.Token+"/")
	if !ok {
		answerError(w, http.StatusUnauthorized, "Unauthorized", 0)
		return
	}
	params, err := readParams(r)
	if err != nil {
		answerError(w, http.StatusBadRequest, "Bad Request: "+err.Error(), 0)
		return
	}
	chat := params.number("chat_id")
	t.mu.Lock()
	fault := t.fault
	t.mu.Unlock()
	f := fault(method, chat)
	if f.Latency > 0 {
		delay := time.NewTimer(f.Latency)
		defer delay.Stop()
		select {
		case <-delay.C:
		case <-r.Context().Done():
			return // hung up before anything was done
		}
	}
	switch {
	case f.HangUp:
		panic(http.ErrAbortHandler)
	case f.Status != 0:
		answerError(w, f.Status, http.StatusText(f.Status), f.RetryAfter)
		return
	}
	if method == "getUpdates" {
		t.getUpdates(w, r, params)
		return
	}
	result, problem := t.execute(r, method, chat, params, f.LoseAnswer)
	switch {
	case problem != "":
		answerError(w, http.StatusBadRequest, "Bad Request: "+problem, 0)
	case f.LoseAnswer:
		panic(http.ErrAbortHandler)
	default:
		answer(w, result)
	}
}

// execute does what the method does, and notes whether the caller is still there.
func (t *Telegram) execute(r *http.Request, method string, chat int64, p params, lost bool) (result any, problem string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	call := Call{Method: method, Chat: chat, Text: p.text("text"), Params: p.raw, At: time.Now(), Gone: lost || r.Context().Err() != nil}
	switch method {
	case "getMe":
		return map[string]any{"id": botID(t.cfg.Token), "is_bot": true, "first_name": "Chatlane", "username": t.cfg.Username}, ""
	case "sendMessage", "sendPhoto", "sendDocument":
		if method == "sendMessage" && (call.Text == "" || len([]rune(call.Text)) > 4096) {
			return nil, "message text is empty or too long"
		}
		t.messages[chat]++
		call.MessageID = t.messages[chat]
		result = map[string]any{
			"message_id": call.MessageID, "date": time.Now().Unix(), "text": call.Text,
			"chat": map[string]any{"id": chat, "type": "private"},
			"from": map[string]any{"id": botID(t.cfg.Token), "is_bot": true, "first_name": "Chatlane"},
		}
	case "editMessageText", "editMessageReplyMarkup":
		call.MessageID = p.number("message_id")
		result = map[string]any{
			"message_id": call.MessageID, "date": time.Now().Unix(), "text": call.Text,
			"chat": map[string]any{"id": chat, "type": "private"},
		}
	case "getWebhookInfo":
		return t.webhookInfo(), ""
	case "setWebhook", "deleteWebhook", "deleteMessage", "answerCallbackQuery", "sendChatAction", "setMyCommands":
		result = true
	default:
		return nil, "method " + method + " is not simulated"
	}
	t.calls = append(t.calls, call)
	t.wake()
	return result, ""
}

func (t *Telegram) webhookInfo() map[string]any {
	info := map[string]any{"url": "", "has_custom_certificate": false, "pending_update_count": len(t.polled)}
	if t.hook != nil {
		info["url"] = t.hook.cfg.Targets[0]
		info["pending_update_count"] = t.hook.pending()
	}
	return info
}

// getUpdates confirms what is below the offset and waits for something to give.
func (t *Telegram) getUpdates(w http.ResponseWriter, r *http.Request, p params) {
	timeout := time.NewTimer(time.Duration(p.number("timeout")) * time.Second)
	defer timeout.Stop()
	for {
		t.mu.Lock()
		for len(t.polled) > 0 && t.polled[0].id < p.number("offset") {
			t.polled = t.polled[1:]
		}
		batch := make([]json.RawMessage, 0, 100)
		for _, u := range t.polled[:min(len(t.polled), 100)] {
			batch = append(batch, u.body)
		}
		changed := t.changed
		t.mu.Unlock()
		if len(batch) > 0 {
			answer(w, batch)
			return
		}
		select {
		case <-changed:
		case <-timeout.C:
			answer(w, batch)
			return
		case <-r.Context().Done():
			return
		}
	}
}

// params are a call's parameters, however they came.
type params struct {
	raw    json.RawMessage
	fields map[string]json.RawMessage
}

func readParams(r *http.Request) (params, error) {
	r.Body = http.MaxBytesReader(nil, r.Body, 64<<20)
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
		if err := r.ParseMultipartForm(8 << 20); err != nil { //nolint:gosec // bounded above
			return params{}, fmt.Errorf("read form: %w", err)
		}
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		body, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
		if err != nil {
			return params{}, fmt.Errorf("read body: %w", err)
		}
		p := params{raw: body}
		if len(body) == 0 {
			return p, nil
		}
		if err := json.Unmarshal(body, &p.fields); err != nil {
			return params{}, fmt.Errorf("read JSON: %w", err)
		}
		return p, nil
	}
	if err := r.ParseForm(); err != nil {
		return params{}, fmt.Errorf("read form: %w", err)
	}
	p := params{fields: make(map[string]json.RawMessage, len(r.Form))}
	for name := range r.Form {
		p.fields[name], _ = json.Marshal(r.Form.Get(name))
	}
	p.raw, _ = json.Marshal(p.fields)
	return p, nil
}

func (p params) text(name string) string {
	var s string
	if json.Unmarshal(p.fields[name], &s) != nil {
		return ""
	}
	return s
}

func (p params) number(name string) int64 {
	n, err := strconv.ParseInt(strings.Trim(string(p.fields[name]), `"`), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func botID(token string) int64 {
	id, _, _ := strings.Cut(token, ":")
	n, _ := strconv.ParseInt(id, 10, 64)
	return n
}

func answer(w http.ResponseWriter, result any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"ok": true, "result": result})
}

func answerError(w http.ResponseWriter, code int, description string, retryAfter int) {
	body := map[string]any{"ok": false, "error_code": code, "description": description}
	if retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
		body["parameters"] = map[string]any{"retry_after": retryAfter}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body)
}
