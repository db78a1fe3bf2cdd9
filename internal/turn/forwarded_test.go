package turn_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatlane/chatlane/internal/forward"
	"github.com/chatlane/chatlane/internal/queue/deadletter"
	"github.com/chatlane/chatlane/internal/turn"
)

// The letter says what the bot said; the log, which must not quote updates, says the status.
func TestTheErrorOfAForwardedBotIsInItsLetterAndInNoLog(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		var logs bytes.Buffer
		r.cfg, r.log = turn.Config{MaxAttempts: 2}, slog.New(slog.NewTextHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
		f := forward.New(forward.Config{
			Targets: map[int64]forward.Target{botID: {URL: "http://bot/hook"}},
			Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
				body := io.NopCloser(strings.NewReader("TypeError: \"pay 5\"\nat shop.js with " + token))
				return &http.Response{StatusCode: http.StatusInternalServerError, Header: http.Header{}, Body: body, Request: req}, nil
			}),
		}, r.log, nil)
		w := r.work(f.Router())
		id := r.say(5, "pay 5")
		time.Sleep(time.Minute)
		synctest.Wait()
		w.stop()
		l, err := deadletter.New(r.conn).Get(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		if l.Update != id || !strings.HasSuffix(l.Error, "bot answered 500 Internal Server Error: TypeError: \"pay 5\" at shop.js with [redacted]") {
			t.Errorf("letter of update %d says %q", l.Update, l.Error)
		}
		if strings.Contains(logs.String(), "TypeError") || !strings.Contains(logs.String(), "bot answered 500") {
			t.Errorf("log:\n%s", &logs)
		}
	})
}
