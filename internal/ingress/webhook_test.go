package ingress_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/queue"
)

type edit = func(*http.Request)

func path(p string) edit    { return func(r *http.Request) { r.URL.Path = p } }
func method(m string) edit  { return func(r *http.Request) { r.Method = m } }
func from(addr string) edit { return func(r *http.Request) { r.RemoteAddr = addr } }

func secrets(values ...string) edit {
	return func(r *http.Request) { r.Header["X-Telegram-Bot-Api-Secret-Token"] = values }
}

func chunked(r *http.Request) { r.ContentLength = -1 }

// torn is a body whose sender disconnects.
type torn struct{}

func (torn) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func tear(r *http.Request) { r.Body = io.NopCloser(torn{}) }

// TestWebhookAnswers compares the table of answers with its golden file.
func TestWebhookAnswers(t *testing.T) {
	down := &store{
		publish: func(context.Context, queue.Update) error { return errDown },
		reject:  func(context.Context) error { return errDown },
	}
	defect := &store{publish: func(context.Context, queue.Update) error { panic(words) }}
	large := strings.Replace(body, words, strings.Repeat("x", 2000), 1)
	cases := []struct {
		name  string
		store *store
		body  string
		edits []edit
	}{
		{name: "an update", body: body},
		{name: "an update, with the older secret", body: body, edits: []edit{secrets(older)}},
		{name: "an update, chunked", body: body, edits: []edit{chunked}},
		{name: "an update, of an odd content type", body: body, edits: []edit{func(r *http.Request) { r.Header.Set("Content-Type", "x") }}},
		{name: "no JSON", body: "hello"},
		{name: "no update", body: "{}"},
		{name: "empty body", body: ""},
		{name: "the broker is away", store: down, body: body},
		{name: "the broker is away, no JSON", store: down, body: "hello"},
		{name: "a defect", store: defect, body: body},
		{name: "torn body", body: body, edits: []edit{tear}},
		{name: "GET", body: body, edits: []edit{method(http.MethodGet)}},
		{name: "PUT, other bot", body: body, edits: []edit{method(http.MethodPut), path("/webhook/999")}},
		{name: "GET, other path", body: body, edits: []edit{method(http.MethodGet), path("/")}},
		{name: "other path", body: body, edits: []edit{path("/hook/111")}},
		{name: "other bot", body: body, edits: []edit{path("/webhook/999")}},
		{name: "no bot", body: body, edits: []edit{path("/webhook/")}},
		{name: "odd number", body: body, edits: []edit{path("/webhook/+111")}},
		{name: "number with zero", body: body, edits: []edit{path("/webhook/0111")}},
		{name: "path goes on", body: body, edits: []edit{path("/webhook/111/")}},
		{name: "too large", body: large},
		{name: "too large, wrong secret", body: large, edits: []edit{secrets("x")}},
		{name: "too large, chunked", body: large, edits: []edit{chunked}},
		{name: "too large, chunked, wrong secret", body: large, edits: []edit{chunked, secrets("x")}},
		{name: "other network", body: body, edits: []edit{from("203.0.113.9:1")}},
		{name: "other network, wrong secret", body: body, edits: []edit{from("203.0.113.9:1"), secrets("x")}},
		{name: "wrong secret", body: body, edits: []edit{secrets("x")}},
		{name: "wrong secret, no JSON", body: "hello", edits: []edit{secrets("x")}},
		{name: "right secret and more", body: body, edits: []edit{secrets(secret + "x")}},
		{name: "beginning of the secret", body: body, edits: []edit{secrets(secret[:4])}},
		{name: "other case", body: body, edits: []edit{secrets(strings.ToLower(secret))}},
		{name: "empty secret", body: body, edits: []edit{secrets("")}},
		{name: "no secret", body: body, edits: []edit{secrets()}},
		{name: "two secrets", body: body, edits: []edit{secrets(secret, secret)}},
		{name: "long secret", body: body, edits: []edit{secrets(strings.Repeat("x", 9000))}},
	}
	var table strings.Builder
	for _, c := range cases {
		s := c.store
		if s == nil {
			s = &store{}
		}
		cfg := settings()
		cfg.MaxBody, cfg.AllowedIPs = 1024, []string{"192.0.2.0/24"}
		reg := prometheus.NewRegistry()
		h, l := webhook(t, cfg, s, reg)
		w := post(h, request(c.body, c.edits...))
		stored := "-"
		switch {
		case len(s.updates) > 0:
			stored = "update"
		case len(s.rejected) > 0:
			stored = "dead letter"
		}
		fmt.Fprintf(&table, "%-36s %d %-12s %-12s %s\n", c.name, w.Code, stored, counted(t, reg),
			strings.TrimSpace(w.Header().Get("Allow")+" "+w.Header().Get("Retry-After")))
		if w.Body.Len() != 0 {
			t.Errorf("%s: the answer has a body: %q", c.name, w.Body)
		}
		showsNothing(t, l)
	}
	golden(t, "status.golden", table.String())
}

// counted is the one outcome that the metrics counted.
func counted(t *testing.T, reg *prometheus.Registry) string {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "chatlane_webhook_requests_total" && m.GetCounter().GetValue() == 1 {
				return m.GetLabel()[0].GetValue()
			}
		}
	}
	return "nothing"
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestUpdateIsStoredUnchanged(t *testing.T) {
	s := &store{}
	h, _ := webhook(t, settings(), s, nil)
	post(h, request(body))
	if len(s.updates) != 1 {
		t.Fatalf("stored %d updates", len(s.updates))
	}
	u := s.updates[0]
	if string(u.Body) != body || u.ID != 7 || u.Type != "message" || u.Lane != "111:c:42" || u.Scope.Chat != 42 || u.Received.IsZero() {
		t.Errorf("stored %+v", u)
	}
}

func TestSecretIsValidForItsBotOnly(t *testing.T) {
	cfg := settings()
	cfg.Bots.All = append(cfg.Bots.All, config.Bot{Token: config.Secret("222:" + token[4:]), Secrets: []config.Secret{"another"}})
	s := &store{}
	h, _ := webhook(t, cfg, s, nil)
	for _, c := range []struct {
		path, secret string
		code         int
	}{{"111", secret, 200}, {"222", "another", 200}, {"111", "another", 401}, {"222", secret, 401}} {
		if w := post(h, request(body, path("/webhook/"+c.path), secrets(c.secret))); w.Code != c.code {
			t.Errorf("bot %s with %q: %d, want %d", c.path, c.secret, w.Code, c.code)
		}
	}
	if len(s.updates) != 2 || s.updates[1].Lane != "222:c:42" {
		t.Errorf("stored %+v", s.updates)
	}
}

func TestLaneFollowsTheConfiguredKey(t *testing.T) {
	s := &store{}
	cfg := settings()
	cfg.Broker.LaneKey = "chat_user"
	h, _ := webhook(t, cfg, s, nil)
	post(h, request(body))
	if got := s.updates[0].Lane; got != "111:c:42:u:42" {
		t.Errorf("lane is %s", got)
	}
}

func TestNothingIsAnsweredBeforeItIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		confirm := make(chan struct{})
		s := &store{publish: func(context.Context, queue.Update) error { <-confirm; return nil }}
		h, _ := webhook(t, settings(), s, nil)
		code := make(chan int, 1)
		go func() { code <- post(h, request(body)).Code }()
		synctest.Wait()
		select {
		case c := <-code:
			t.Errorf("answered %d before the confirmation", c)
		default:
		}
		close(confirm)
		if c := <-code; c != http.StatusOK {
			t.Errorf("answered %d", c)
		}
	})
}

func TestStoringIsGivenUpAfterTheTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{publish: func(ctx context.Context, _ queue.Update) error { <-ctx.Done(); return context.Cause(ctx) }}
		h, l := webhook(t, settings(), s, nil)
		began := time.Now()
		w := post(h, request(body))
		if took := time.Since(began); w.Code != 503 || took != 2*time.Second {
			t.Errorf("answered %d after %s, want 503 after 2s", w.Code, took)
		}
		if !strings.Contains(l.String(), "did not confirm in time") {
			t.Errorf("the log does not say why: %s", l)
		}
	})
}

func TestBodyBufferIsNotReusedBeforeConfirmation(t *testing.T) {
	var held []byte
	s := &store{publish: func(_ context.Context, u queue.Update) error {
		if held == nil {
			held = u.Body // as a client that has not sent it yet
			return errDown
		}
		return nil
	}}
	h, _ := webhook(t, settings(), s, nil)
	post(h, request(body))
	for range 20 {
		post(h, request(strings.ReplaceAll(body, "words", "WORDS")))
	}
	if string(held) != body {
		t.Errorf("the bytes became %s", held)
	}
}

func TestOutagesDoNotFloodTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{publish: func(context.Context, queue.Update) error { return errDown }}
		h, l := webhook(t, settings(), s, nil)
		for range 100 {
			post(h, request(body))
			post(h, request(body, secrets("wrong")))
		}
		time.Sleep(time.Minute)
		post(h, request(body))
		if lines := strings.Count(l.String(), "\n"); lines != 3 || !strings.Contains(l.String(), `"suppressed":99`) {
			t.Errorf("%d lines, want 3:\n%s", lines, l)
		}
	})
}

func TestPanicIsLoggedWithoutItsValue(t *testing.T) {
	s := &store{publish: func(context.Context, queue.Update) error { panic(words) }}
	reg := prometheus.NewRegistry()
	h, l := webhook(t, settings(), s, reg)
	post(h, request(body))
	if !strings.Contains(l.String(), "webhook_test.go") {
		t.Errorf("the log has no stack: %s", l)
	}
	showsNothing(t, l)
	if got := counted(t, reg); got != "panicked" {
		t.Errorf("counted as %s", got)
	}
}
