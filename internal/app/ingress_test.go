package app_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/testlog"

	"github.com/chatlane/chatlane/internal/app"
	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/ingress"
	"github.com/chatlane/chatlane/internal/simulator"
	"github.com/chatlane/chatlane/internal/telemetry"
)

// running is an ingress on a real broker.
type running struct {
	t    *testing.T
	url  string
	log  *log
	tel  *telemetry.Telemetry
	stop context.CancelFunc
	done chan error
	http http.Client
}

// startIngress starts an ingress with its own telemetry, which it does not own.
func startIngress(t *testing.T, cfg ingress.Config, conn *broker.Conn, options ...func(*app.Parts)) *running {
	t.Helper()
	r := &running{t: t, log: &log{}, done: make(chan error, 1)}
	tel, err := telemetry.Start(t.Context(), telemetry.Config{Output: r.log, LogLevel: "debug", Exporter: "console"})
	if err != nil {
		t.Fatal(err)
	}
	r.tel = tel
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.url = "http://" + ln.Addr().String() + "/webhook/111"
	r.http.Transport = &http.Transport{}
	ctx, stop := context.WithCancel(t.Context())
	r.stop = stop
	parts := app.Parts{Telemetry: tel, Conn: conn, Listener: ln}
	for _, set := range options {
		set(&parts)
	}
	go func() { r.done <- app.RunIngress(ctx, cfg, parts) }()
	t.Cleanup(func() {
		stop()
		r.http.CloseIdleConnections()
		if err := tel.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		showsNothing(t, r.log)
	})
	return r
}

// pausing is for how long a deleted stream of updates stays away.
func pausing(d time.Duration) func(*app.Parts) { return func(p *app.Parts) { p.Pause = d } }

func (r *running) ready() bool { return len(r.tel.Health.Reasons(r.t.Context())) == 0 }

// await asks until cond holds.
func (r *running) await(what string, cond func() bool) {
	r.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(20 * time.Second)
	for !cond() {
		select {
		case <-tick.C:
		case err := <-r.done:
			r.t.Fatalf("ended with %v while waiting: %s\n%s", err, what, r.log)
		case <-limit:
			r.t.Fatalf("waited too long: %s\n%s", what, r.log)
		}
	}
}

func (r *running) post(body string) int {
	r.t.Helper()
	req, err := http.NewRequest(http.MethodPost, r.url, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("X-Telegram-Bot-Api-Secret-Token", ingressSecret)
	resp, err := r.http.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if text, err := io.ReadAll(resp.Body); err != nil || len(text) != 0 {
		r.t.Errorf("the answer has a body: %q, %v", text, err)
	}
	return resp.StatusCode
}

func dialURL(t *testing.T, s *embedded.Server) *broker.Conn {
	t.Helper()
	conn, err := broker.Connect(t.Context(), broker.Config{FailFast: true, URL: s.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func startBroker(t *testing.T) *embedded.Server {
	t.Helper()
	s, err := embedded.Start(embedded.Config{Dir: t.TempDir(), Listen: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// stored is how many messages a stream holds.
func stored(t *testing.T, conn *broker.Conn, stream string) int {
	t.Helper()
	s, err := conn.JetStream().Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	return int(s.CachedInfo().State.Msgs)
}

func TestAcceptedUpdatesAreInTheStream(t *testing.T) {
	conn := dialURL(t, startBroker(t))
	r := startIngress(t, settings(), conn)
	r.await("ready", r.ready)
	for _, text := range []string{body, body, strings.Replace(body, `"update_id":7`, `"update_id":8`, 1), "no JSON"} {
		if code := r.post(text); code != http.StatusOK {
			t.Fatalf("answered %d", code)
		}
	}
	if n := stored(t, conn, broker.Names{}.Updates()); n != 2 {
		t.Errorf("the stream holds %d updates, want 2", n)
	}
	if n := stored(t, conn, broker.Names{}.DeadLetters()); n != 1 {
		t.Errorf("there are %d dead letters, want 1", n)
	}
	r.stop()
	if err := <-r.done; err != nil {
		t.Errorf("ended with %v", err)
	}
	if r.ready() {
		t.Error("ready after the stop")
	}
	if err := r.tel.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	webhook, publish := spans(t, r.log, "ingress.webhook"), spans(t, r.log, "queue.publish")
	if len(webhook) != 4 || len(publish) != 3 || !slices.Contains(webhook, publish[0]) {
		t.Errorf("traces of the webhook %v, of publishing %v", webhook, publish)
	}
}

// spans lists the trace ids of the spans with a name, as the console exporter shows them.
func spans(t *testing.T, l *log, name string) []string {
	t.Helper()
	var ids []string
	for line := range strings.SplitSeq(l.String(), "\n") {
		var span struct {
			Name        string
			SpanContext struct{ TraceID string }
		}
		if json.Unmarshal([]byte(line), &span) == nil && span.Name == name {
			ids = append(ids, span.SpanContext.TraceID)
		}
	}
	return ids
}

func TestIngressOutlivesItsBroker(t *testing.T) {
	p := newProxy(t, startBroker(t))
	cfg := settings()
	cfg.Broker.URL = "nats://" + p.ln.Addr().String()
	r := startIngress(t, cfg, nil)
	r.await("say what it waits for", func() bool {
		return r.tel.Health.Reasons(t.Context())["ingress"] == "waiting for NATS"
	})
	if !strings.Contains(r.log.String(), "CHATLANE_NATS_URL") {
		t.Errorf("the log does not name the setting:\n%s", r.log)
	}
	p.up.Store(true)
	r.await("ready", r.ready)
	if code := r.post(body); code != http.StatusOK {
		t.Fatalf("answered %d", code)
	}
	p.cut()
	r.await("not ready", func() bool { return !r.ready() })
	began := time.Now()
	if code := r.post(body); code != http.StatusServiceUnavailable {
		t.Errorf("answered %d without a broker", code)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("answered after %s", took)
	}
	p.up.Store(true)
	r.await("ready again", r.ready)
	r.await("store again", func() bool { return r.post(body) == http.StatusOK })
	r.stop()
	if err := <-r.done; err != nil {
		t.Errorf("ended with %v", err)
	}
}

func TestRunNamesWhatIsTaken(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	cfg := settings()
	cfg.Listen = ln.Addr().String()
	var l log
	cfg.Telemetry = telemetry.Config{Output: &l, AdminListen: "127.0.0.1:0"}
	conn := dialURL(t, startBroker(t))
	err = app.RunIngress(t.Context(), cfg, app.Parts{Conn: conn})
	if err == nil || !strings.Contains(err.Error(), "CHATLANE_LISTEN") {
		t.Errorf("error is %v", err)
	}
	cfg.Listen, cfg.Telemetry.AdminListen = "127.0.0.1:0", ln.Addr().String()
	err = app.RunIngress(t.Context(), cfg, app.Parts{Conn: conn})
	if err == nil || !strings.Contains(err.Error(), "CHATLANE_ADMIN_LISTEN") {
		t.Errorf("error is %v", err)
	}
}

func TestRunRefusesAnotherPartitionCount(t *testing.T) {
	conn := dialURL(t, startBroker(t))
	if err := conn.Ensure(t.Context(), broker.Topology{Partitions: 8}); err != nil {
		t.Fatal(err)
	}
	var l log
	cfg := settings()
	cfg.Telemetry = telemetry.Config{Output: &l, AdminListen: "127.0.0.1:0"}
	err := app.RunIngress(t.Context(), cfg, app.Parts{Conn: conn})
	if err == nil || !strings.Contains(err.Error(), "CHATLANE_PARTITIONS") {
		t.Errorf("error is %v", err)
	}
}

func TestPollingFillsTheStream(t *testing.T) {
	people := simulator.New(simulator.Config{})
	for user := range int64(30) {
		people.Say(user+1, "Ann", "hello")
	}
	api := httptest.NewServer(people)
	defer api.Close()
	conn := dialURL(t, startBroker(t))
	cfg := settings()
	cfg.Bots.All = []config.Bot{{Token: simulator.Token}}
	cfg.Polling, cfg.BotAPIURL = true, api.URL
	r := startIngress(t, cfg, conn)
	r.await("all confirmed", func() bool { return people.Pending() == 0 })
	if n := stored(t, conn, broker.Names{}.Updates()); n != 30 {
		t.Errorf("the stream holds %d updates, want 30", n)
	}
	r.stop()
	if err := <-r.done; err != nil {
		t.Errorf("ended with %v", err)
	}
}

const (
	ingressToken  = "111:TOKENTOKENTOKENTOKENTOKENTOKENTOKEN"
	ingressSecret = "a-right_SECRET-1"
	words         = "words that nobody else may read"
	body          = `{"update_id":7,"message":{"message_id":1,"date":1,"chat":{"id":42,"type":"private"},"from":{"id":42,"is_bot":false,"first_name":"A"},"text":"` + words + `"}}`
)

func settings() ingress.Config {
	return ingress.Config{Bots: config.Bots{All: []config.Bot{{Token: ingressToken, Secrets: []config.Secret{ingressSecret}}}}}
}

type log = testlog.Buffer

// showsNothing fails if a log shows what it must not.
func showsNothing(t *testing.T, l *log) {
	t.Helper()
	for _, hidden := range []string{ingressSecret, ingressToken, "TOKENTOKEN", words, "nobody"} {
		if strings.Contains(l.String(), hidden) {
			t.Errorf("the log shows %q:\n%s", hidden, l)
		}
	}
}

// An id that fits into no header, and a body that is no update, are one dead letter each, however often they come.
func TestWhatCanNeverBeStoredIsOneDeadLetter(t *testing.T) {
	conn := dialURL(t, startBroker(t))
	r := startIngress(t, settings(), conn)
	r.await("ready", r.ready)
	long := `{"update_id":8,"business_message":{"message_id":1,"business_connection_id":"` + strings.Repeat("x", 100_000) + `","date":1,"chat":{"id":42,"type":"private"}}}`
	for _, text := range []string{long, "no JSON", long, "no JSON", long} {
		if code := r.post(text); code != http.StatusOK {
			t.Errorf("answered %d", code)
		}
	}
	if n := stored(t, conn, broker.Names{}.DeadLetters()); n != 2 {
		t.Errorf("there are %d dead letters, want 2", n)
	}
	r.stop()
	if err := <-r.done; err != nil {
		t.Errorf("ended with %v", err)
	}
}
