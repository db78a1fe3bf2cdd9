package simulator

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

type apiError struct {
	code       int
	what       string
	retryAfter int
	migrateTo  int64
}

func (e *apiError) Error() string { return e.what }

func badRequest(format string, args ...any) *apiError {
	return &apiError{code: 400, what: "Bad Request: " + fmt.Sprintf(format, args...)}
}

func tooMany(seconds int) *apiError {
	return &apiError{code: 429, what: fmt.Sprintf("Too Many Requests: retry after %d", seconds), retryAfter: seconds}
}

type request struct {
	bot    *Bot
	method string
	params params
	files  []Upload
	web    bool // made in the answer to a webhook request
	conn   *callerConn
}

// ServeHTTP answers /bot<token>/<method> and /file/bot<token>/<path>.
func (t *Telegram) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, file := strings.CutPrefix(r.URL.Path, "/file")
	rest, ok := strings.CutPrefix(path, "/bot")
	token, tail, slash := strings.Cut(rest, "/")
	bot := t.byToken[token]
	switch {
	case !ok || !slash:
		refuse(w, &apiError{code: 404, what: "Not Found"})
	case bot == nil:
		refuse(w, &apiError{code: 401, what: "Unauthorized"})
	case file:
		bot.serveFile(w, tail)
	default:
		t.serveCall(w, r, bot, tail)
	}
}

func (t *Telegram) serveCall(w http.ResponseWriter, r *http.Request, bot *Bot, name string) {
	conn := connOf(r.Context())
	conn.asked()
	p, files, err := readParams(r.URL.Query(), r.Header.Get("Content-Type"), r.Body)
	if err != nil {
		refuse(w, badRequest("%v", err))
		return
	}
	_, _ = io.Copy(io.Discard, r.Body) // net/http notices a hang-up only once the body is read
	m, ok := t.methods[strings.ToLower(name)]
	if !ok {
		refuse(w, &apiError{code: 404, what: "Not Found: method not found"})
		return
	}
	f := (*t.faults.Load())(m.name, p.number("chat_id"))
	if !f.before(r.Context(), w) {
		return
	}
	result, seq, err := t.execute(r.Context(), m, &request{bot: bot, method: m.name, params: p, files: files, conn: conn})
	pause(r.Context(), f.Withhold)
	if f.LoseAnswer {
		t.record.gone(seq)
		panic(http.ErrAbortHandler)
	}
	if r.Context().Err() != nil {
		t.record.gone(seq)
	}
	if err != nil {
		refuse(w, asAPIError(err))
		return
	}
	if !answer(w, result) {
		t.record.gone(seq)
		return
	}
	if conn.answered(seq) {
		t.record.gone(seq)
	}
	t.record.answered(seq, time.Now()) // after the connection has noted it: see Stopped
}

func (f Fault) before(ctx context.Context, w http.ResponseWriter) bool {
	pause(ctx, f.Latency)
	if f.Hang > 0 {
		pause(ctx, f.Hang)
		if ctx.Err() != nil {
			return false
		}
	}
	switch {
	case f.HangUp:
		panic(http.ErrAbortHandler)
	case f.Status == 0:
		return true
	case f.Status == http.StatusTooManyRequests:
		refuse(w, tooMany(max(f.RetryAfter, 1)))
	case f.Status == http.StatusBadGateway:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(f.Status)
		_, _ = io.WriteString(w, "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n")
	case f.Status == http.StatusInternalServerError:
		refuse(w, &apiError{code: f.Status, what: "Internal Server Error: restart"})
	default:
		refuse(w, &apiError{code: f.Status, what: http.StatusText(f.Status)})
	}
	return false
}

func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func answer(w http.ResponseWriter, result any) bool {
	body := mustJSON("result", struct {
		OK     bool `json:"ok"`
		Result any  `json:"result"`
	}{true, result})
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", decimal(int64(len(body))))
	if _, err := w.Write(body); err != nil {
		return false
	}
	return http.NewResponseController(w).Flush() == nil
}

func refuse(w http.ResponseWriter, e *apiError) {
	body := map[string]any{"ok": false, "error_code": e.code, "description": e.what}
	switch {
	case e.retryAfter > 0:
		w.Header().Set("Retry-After", decimal(int64(e.retryAfter)))
		body["parameters"] = map[string]any{"retry_after": e.retryAfter}
	case e.migrateTo != 0:
		body["parameters"] = map[string]any{"migrate_to_chat_id": e.migrateTo}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.code)
	_ = json.NewEncoder(w).Encode(body) // the caller may be gone
}

func (b *Bot) serveFile(w http.ResponseWriter, path string) {
	b.mu.Lock()
	content, ok := b.files[path]
	b.mu.Unlock()
	if !ok {
		refuse(w, &apiError{code: 404, what: "Not Found"})
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = w.Write(content) // the caller may be gone
}
