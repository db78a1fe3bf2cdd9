package forward_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mymmrac/telego"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/forward"
	"github.com/chatlane/chatlane/internal/telegram/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	botToken = "42:TOKENTOKENTOKENTOKENTOKENTOKENTOKEN"
	raw      = `{"update_id":7, "message":{"message_id":1,"date":1,"chat":{"id":5,"type":"private"},"text":"hi"},"new":[1]}`
)

// request is one that a server got.
type request struct {
	path   string
	header http.Header
	body   string
}

// server answers as a test says, and keeps what it got.
type server struct {
	*httptest.Server

	mu  sync.Mutex
	got []request
}

func serve(t *testing.T, answer func(w http.ResponseWriter, n int)) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		s.got = append(s.got, request{r.URL.Path, r.Header.Clone(), string(body)})
		n := len(s.got)
		s.mu.Unlock()
		answer(w, n)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) requests() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got
}

// status answers so, with headers as pairs.
func status(code int, header ...string) func(http.ResponseWriter, int) {
	return func(w http.ResponseWriter, _ int) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

// body answers 200 with a body of a type.
func body(kind, text string) func(http.ResponseWriter, int) {
	return func(w http.ResponseWriter, _ int) {
		w.Header().Set("Content-Type", kind)
		_, _ = io.WriteString(w, text)
	}
}

// journal keeps entries from one attempt to the next.
type journal struct {
	mu      sync.Mutex
	entries map[int][]byte
}

func (j *journal) Recall(i int) ([]byte, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e, ok := j.entries[i]
	return e, ok
}

func (j *journal) Record(_ context.Context, i int, e []byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries[i] = e
	return nil
}

// rig is a forwarder between a bot and a Bot API.
type rig struct {
	t       *testing.T
	program *bot.Program
	client  *api.Client
	reg     *prometheus.Registry
	logs    bytes.Buffer
	journal journal
	attempt int
}

// start forwards to the bot; calls in its answers go to the Bot API.
func start(t *testing.T, target forward.Target, botAPI *server) *rig {
	t.Helper()
	r := &rig{t: t, reg: prometheus.NewRegistry(), journal: journal{entries: map[int][]byte{}}}
	log := slog.New(slog.NewTextHandler(&r.logs, nil))
	f := forward.New(forward.Config{Targets: map[int64]forward.Target{42: target}, Connections: 2}, log, r.reg)
	t.Cleanup(f.Close)
	program, err := f.Router().Compile()
	if err != nil {
		t.Fatal(err)
	}
	r.program = program
	r.client = api.NewClient(api.Config{BaseURL: botAPI.URL, Attempts: 1}, nil, nil)
	t.Cleanup(r.client.Close)
	return r
}

// turn is one more attempt at the same update.
func (r *rig) turn(ctx context.Context) error {
	r.t.Helper()
	token, err := api.ParseToken(botToken)
	if err != nil {
		r.t.Fatal(err)
	}
	r.attempt++
	earlier := &journal{entries: maps.Clone(r.journal.entries)}
	calls := r.client.Turn(token, earlier, nil)
	err = r.program.Answer(ctx, bot.NewTurn(bot.Parts{
		Bot: bot.Info{ID: 42}, Type: "message", Raw: []byte(raw), Update: &telego.Update{UpdateID: 7},
		Chat: 5, Attempt: r.attempt, API: calls.Bot(), Call: calls.Call, Once: calls.Once,
	}))
	r.journal.entries = earlier.entries
	return err
}

func TestUpdatesAreHandedOnAsTheyCame(t *testing.T) {
	existing, botAPI := serve(t, status(204)), serve(t, status(500))
	r := start(t, forward.Target{URL: existing.URL + "/hook", Secret: "s-1"}, botAPI)
	if err := r.turn(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := existing.requests()
	if len(got) != 1 || got[0].body != raw || got[0].path != "/hook" {
		t.Fatalf("bot got %+v", got)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "X-Telegram-Bot-Api-Secret-Token": "s-1",
		"X-Chatlane-Update": "42:7", "X-Chatlane-Attempt": "1",
	} {
		if h := got[0].header.Get(name); h != want {
			t.Errorf("%s is %q, want %q", name, h, want)
		}
	}
	if len(botAPI.requests()) != 0 {
		t.Error("an empty answer made a call")
	}
	if err := r.turn(t.Context()); err != nil || len(existing.requests()) != 1 {
		t.Errorf("an attempt after the answer asked the bot again: %v", err)
	}
}

func TestTheTraceGoesOnInTheBot(t *testing.T) {
	before := otel.GetTextMapPropagator()
	otel.SetTextMapPropagator(propagation.TraceContext{})
	t.Cleanup(func() { otel.SetTextMapPropagator(before) })
	existing := serve(t, status(200))
	r := start(t, forward.Target{URL: existing.URL}, serve(t, status(500)))
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled})
	if err := r.turn(trace.ContextWithSpanContext(t.Context(), span)); err != nil {
		t.Fatal(err)
	}
	if h := existing.requests()[0].header.Get("Traceparent"); !strings.Contains(h, span.TraceID().String()) {
		t.Errorf("traceparent is %q", h)
	}
}

func TestTheBotIsAskedAgainUntilItAnswers(t *testing.T) {
	existing := serve(t, func(w http.ResponseWriter, n int) { status(map[bool]int{true: 500, false: 200}[n < 3])(w, n) })
	r := start(t, forward.Target{URL: existing.URL}, serve(t, status(500)))
	for range 2 {
		var said *forward.StatusError
		if err := r.turn(t.Context()); !errors.As(err, &said) || said.Code != 500 {
			t.Errorf("got %v", err)
		}
	}
	if err := r.turn(t.Context()); err != nil {
		t.Error(err)
	}
	got := existing.requests()
	if len(got) != 3 || got[2].header.Get("X-Chatlane-Attempt") != "3" || got[0].header.Get("X-Chatlane-Update") != got[2].header.Get("X-Chatlane-Update") {
		t.Errorf("%d requests, the last as attempt %s", len(got), got[len(got)-1].header.Get("X-Chatlane-Attempt"))
	}
}

func TestOnlyABotThatIsAwayCostsNoAttempt(t *testing.T) {
	hangUp := func(http.ResponseWriter, int) { panic(http.ErrAbortHandler) }
	for _, tt := range []struct {
		name   string
		answer func(http.ResponseWriter, int)
		away   bool
		after  time.Duration
	}{
		{"bad gateway", status(502), true, 0},
		{"unavailable", status(503), true, 0},
		{"unavailable for long", status(503, "Retry-After", "30"), true, 30 * time.Second},
		{"gateway timeout", status(504), true, 0},
		{"rate limit", status(429, "Retry-After", "5"), true, 5 * time.Second},
		{"rate limit without a time", status(429), true, time.Second},
		{"rate limit without end", status(429, "Retry-After", "99999999"), true, time.Hour},
		{"asks to come again", status(500, "Retry-After", "0"), true, time.Second},
		{"a date", status(500, "Retry-After", "Wed, 21 Oct 2026 07:28:00 GMT"), false, 0},
		{"error", status(500), false, 0},
		{"wrong secret", status(401), false, 0},
		{"wrong path", status(404), false, 0},
		{"redirect", status(307, "Location", "/elsewhere"), false, 0},
		{"hangs up", hangUp, false, 0},
		{"endless answer", body("application/json", strings.Repeat(" ", 600<<10)), false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			existing := serve(t, tt.answer)
			r := start(t, forward.Target{URL: existing.URL + "/secret-path"}, serve(t, status(500)))
			err := r.turn(t.Context())
			var away *bot.UnavailableError
			if err == nil || errors.As(err, &away) != tt.away || away != nil && away.RetryAfter != tt.after {
				t.Errorf("got %v (%+v)", err, away)
			}
			if n := len(existing.requests()); n != 1 {
				t.Errorf("%d requests in one attempt", n)
			}
			if strings.Contains(fmt.Sprint(err)+r.logs.String(), "secret-path") {
				t.Errorf("the address shows: %v", err)
			}
		})
	}
}

func TestABotThatIsNotThereCostsNoAttempt(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	r := start(t, forward.Target{URL: gone.URL + "/secret-path"}, serve(t, status(500)))
	var away *bot.UnavailableError
	err := r.turn(t.Context())
	if !errors.As(err, &away) || away.RetryAfter != 0 || strings.Contains(err.Error(), "secret-path") {
		t.Errorf("got %v", err)
	}
}

func TestAnAbsentBotIsLoggedOnceAMinute(t *testing.T) {
	r := start(t, forward.Target{URL: serve(t, status(503)).URL}, serve(t, status(500)))
	for range 20 {
		if err := r.turn(t.Context()); err == nil {
			t.Error("503 is taken for an answer")
		}
	}
	if n := strings.Count(r.logs.String(), "takes no updates"); n != 1 {
		t.Errorf("%d lines:\n%s", n, &r.logs)
	}
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	var opened atomic.Int32
	answers := []func(http.ResponseWriter, int){status(500), body("text/plain", strings.Repeat("x", 60<<10)), status(503)}
	existing := &server{}
	existing.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		existing.mu.Lock()
		existing.got = append(existing.got, request{})
		n := len(existing.got)
		existing.mu.Unlock()
		answers[n%len(answers)](w, n)
	}))
	existing.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	existing.Start()
	t.Cleanup(existing.Close)
	r := start(t, forward.Target{URL: existing.URL}, serve(t, status(500)))
	for range 9 {
		r.journal.entries = map[int][]byte{}
		_ = r.turn(t.Context()) // whatever it comes to
	}
	if n := opened.Load(); n != 1 || len(existing.requests()) != 9 {
		t.Errorf("%d connections for %d requests in a row", n, len(existing.requests()))
	}
}

func TestABotThatIsTooSlowIsNotAway(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	existing := serve(t, func(http.ResponseWriter, int) { cancel() })
	r := start(t, forward.Target{URL: existing.URL}, serve(t, status(500)))
	var away *bot.UnavailableError
	if err := r.turn(ctx); !errors.Is(err, context.Canceled) || errors.As(err, &away) {
		t.Errorf("got %v", err)
	}
}

// The bot is not asked again because the call in its answer failed, and the call is
// not made again once it succeeded.
func TestACallInTheAnswerIsMadeOnce(t *testing.T) {
	existing := serve(t, body("application/json", `{"method":"sendMessage","chat_id":5,"text":"hello","reply_markup":{"x":[1]}}`))
	botAPI := serve(t, func(w http.ResponseWriter, n int) {
		if n == 1 {
			body("application/json", `{"ok":false,"error_code":429,"parameters":{"retry_after":3}}`)(w, n)
			return
		}
		body("application/json", `{"ok":true,"result":{"message_id":1}}`)(w, n)
	})
	r := start(t, forward.Target{URL: existing.URL}, botAPI)
	var no *api.Error
	if err := r.turn(t.Context()); !errors.As(err, &no) || no.RetryAfter != 3*time.Second {
		t.Errorf("got %v", err)
	}
	for range 2 {
		if err := r.turn(t.Context()); err != nil {
			t.Error(err)
		}
	}
	calls := botAPI.requests()
	if len(existing.requests()) != 1 || len(calls) != 2 {
		t.Fatalf("bot asked %d times, want 1; %d calls, want 2", len(existing.requests()), len(calls))
	}
	var params map[string]any
	if err := json.Unmarshal([]byte(calls[1].body), &params); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(calls[1].path, "/sendMessage") || params["text"] != "hello" || params["chat_id"] != 5.0 ||
		params["method"] != nil || fmt.Sprint(params["reply_markup"]) != "map[x:[1]]" {
		t.Errorf("call is %s %s", calls[1].path, calls[1].body)
	}
}
