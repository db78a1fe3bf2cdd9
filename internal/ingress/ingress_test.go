package ingress_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chatlane/chatlane/internal/testlog"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/ingress"
	"github.com/chatlane/chatlane/internal/queue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var update = flag.Bool("update", false, "write the golden files")

const (
	botID  = 111
	token  = "111:TOKENTOKENTOKENTOKENTOKENTOKENTOKEN"
	secret = "a-right_SECRET-1"
	older  = "an-older_SECRET-0"
	words  = "words that nobody else may read"
	body   = `{"update_id":7,"message":{"message_id":1,"date":1,"chat":{"id":42,"type":"private"},"from":{"id":42,"is_bot":false,"first_name":"A"},"text":"` + words + `"}}`
)

func settings() ingress.Config {
	return ingress.Config{Bots: config.Bots{All: []config.Bot{{Token: token, Secrets: []config.Secret{secret, older}}}}}
}

type log struct{ testlog.Buffer }

func (l *log) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// store keeps what it is given, unless a test sets publish or reject.
type store struct {
	publish func(ctx context.Context, u queue.Update) error
	reject  func(ctx context.Context) error

	mu       sync.Mutex
	updates  []queue.Update
	rejected []string
}

func (s *store) Publish(ctx context.Context, u queue.Update) error {
	if s.publish != nil {
		if err := s.publish(ctx, u); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u.Body = bytes.Clone(u.Body)
	s.updates = append(s.updates, u)
	return nil
}

func (s *store) Reject(ctx context.Context, _ int64, body []byte, _ string) error {
	if s.reject != nil {
		if err := s.reject(ctx); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rejected = append(s.rejected, string(body))
	return nil
}

func (s *store) ids() []int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []int64
	for _, u := range s.updates {
		ids = append(ids, u.ID)
	}
	return ids
}

// webhook makes the handler over s, and the log that it writes.
func webhook(tb testing.TB, cfg ingress.Config, s *store, reg prometheus.Registerer) (*ingress.Webhook, *log) {
	tb.Helper()
	var l log
	h, err := ingress.NewWebhook(cfg, intake(tb, cfg, s, &l), reg, l.logger())
	if err != nil {
		tb.Fatal(err)
	}
	return h, &l
}

func intake(tb testing.TB, cfg ingress.Config, s *store, l *log) *ingress.Intake {
	tb.Helper()
	return ingress.NewIntake(cfg, s, nil, l.logger())
}

func request(body string, edit ...func(*http.Request)) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/webhook/111", strings.NewReader(body))
	r.Header.Set("X-Telegram-Bot-Api-Secret-Token", secret)
	for _, e := range edit {
		e(r)
	}
	return r
}

func post(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// showsNothing fails if the log shows a token, a secret or a text.
func showsNothing(t *testing.T, l *log) {
	t.Helper()
	for _, hidden := range []string{secret, older, token, "TOKENTOKEN", words, "nobody"} {
		if strings.Contains(l.String(), hidden) {
			t.Errorf("the log shows %q:\n%s", hidden, l)
		}
	}
}

var errDown = errors.New("broker away")

func sorted(ids []int64) []int64 {
	slices.Sort(ids)
	return ids
}
