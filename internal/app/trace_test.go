package app_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/app"
	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/natstest"
	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/ingress"
	"github.com/chatlane/chatlane/internal/queue/deadletter"
	"github.com/chatlane/chatlane/internal/telemetry"
)

const (
	token  = "111:CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC"
	secret = "between-us"
	said   = "what-ann-said" // in no span, ever
)

// traced is an ingress and a worker in one process, with every span they make.
type traced struct {
	t    *testing.T
	url  string
	conn *broker.Conn
	made *tracetest.InMemoryExporter
}

func startTraced(t *testing.T, router *bot.Router) *traced {
	t.Helper()
	tel, err := telemetry.Start(t.Context(), telemetry.Config{Output: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	made := tracetest.NewInMemoryExporter()
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSyncer(made)))
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		result := `{"message_id":1,"date":1,"chat":{"id":42,"type":"private"}}`
		if path.Base(r.URL.Path) == "getMe" {
			result = `{"id":111,"is_bot":true,"first_name":"B","username":"b_bot"}`
		}
		_, _ = fmt.Fprintf(w, `{"ok":true,"result":%s}`, result)
	}))
	t.Cleanup(api.Close)
	server := natstest.Start(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	x := &traced{t: t, url: "http://" + listener.Addr().String() + "/webhook/111", made: made, conn: dial(t, server.Option(), false)}
	bots := config.Bots{All: []config.Bot{{Token: token, Secrets: []config.Secret{secret}}}}
	settings := broker.Settings{Partitions: 2, LaneKey: "chat"}
	intake := dial(t, server.Option(), true) // closed after the ingress has ended
	x.run("ingress", func(ctx context.Context) error {
		return app.RunIngress(ctx, ingress.Config{Broker: settings, Bots: bots}, app.Parts{
			Telemetry: tel, Conn: intake, Listener: listener,
		})
	})
	x.run("worker", func(ctx context.Context) error {
		return app.RunWorker(ctx, router, app.Worker{
			Broker: settings, Bots: bots, State: app.State{Store: "nats"}, BotAPI: app.BotAPI{URL: api.URL}, Turns: app.Turns{MaxAttempts: 2, MinBackoff: time.Millisecond},
		}, app.Parts{Telemetry: tel, Conn: x.conn})
	})
	return x
}

func dial(t *testing.T, server nats.Option, failFast bool) *broker.Conn {
	t.Helper()
	conn, err := broker.Connect(t.Context(), broker.Config{FailFast: failFast, Options: []nats.Option{server}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// run runs a part until the test ends.
func (x *traced) run(name string, part func(ctx context.Context) error) {
	ctx, stop := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	ended.Go(func() {
		if err := part(ctx); err != nil {
			x.t.Errorf("%s: %v", name, err)
		}
	})
	x.t.Cleanup(func() { stop(); ended.Wait() })
}

// post sends an update until it is stored.
func (x *traced) post(id int) {
	x.t.Helper()
	body := fmt.Sprintf(`{"update_id":%d,"message":{"message_id":1,"date":1,"text":%q,"chat":{"id":42,"type":"private"},"from":{"id":42,"is_bot":false,"first_name":"Ann"}}}`, id, said)
	x.await("stored", func() bool {
		req, err := http.NewRequest(http.MethodPost, x.url, strings.NewReader(body))
		if err != nil {
			x.t.Fatal(err)
		}
		req.Header.Set("X-Telegram-Bot-Api-Secret-Token", secret)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

func (x *traced) await(what string, holds func() bool) {
	x.t.Helper()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	limit := time.After(30 * time.Second)
	for !holds() {
		select {
		case <-look.C:
		case <-limit:
			x.t.Fatalf("waited too long: %s", what)
		}
	}
}

// spans are those of one name.
func (x *traced) spans(name string) (all tracetest.SpanStubs) {
	for _, s := range x.made.GetSpans() {
		if s.Name == name {
			all = append(all, s)
		}
	}
	return all
}

func attr(s tracetest.SpanStub, key string) string {
	for _, a := range s.Attributes {
		if string(a.Key) == key {
			return a.Value.String()
		}
	}
	return ""
}

// only is the one span of a name, below its parent and in its trace.
func (x *traced) only(name string, kind trace.SpanKind, parent trace.SpanContext, want map[string]string) trace.SpanContext {
	x.t.Helper()
	all := x.spans(name)
	if len(all) != 1 {
		x.t.Fatalf("%d spans %s", len(all), name)
	}
	s := all[0]
	if s.SpanKind != kind || parent.IsValid() && (s.SpanContext.TraceID() != parent.TraceID() || s.Parent.SpanID() != parent.SpanID()) {
		x.t.Errorf("%s: kind %v, trace %v below %v; want below %v", name, s.SpanKind, s.SpanContext.TraceID(), s.Parent.SpanID(), parent.SpanID())
	}
	for key, value := range want {
		if got := attr(s, key); got != value {
			x.t.Errorf("%s: %s is %q, want %q", name, key, got, value)
		}
	}
	return s.SpanContext
}

// secretive tells that no span shows what nobody may read.
func (x *traced) secretive() {
	x.t.Helper()
	_, key, _ := strings.Cut(token, ":")
	check := func(where string, attrs []attribute.KeyValue) {
		for _, a := range attrs {
			for _, never := range []string{key, secret, said} {
				if strings.Contains(a.Value.String(), never) {
					x.t.Errorf("%s: %s shows what is secret: %s", where, a.Key, a.Value.String())
				}
			}
		}
	}
	for _, s := range x.made.GetSpans() {
		check(s.Name, append(s.Attributes, attribute.String("status", s.Status.Description), attribute.String("name", s.Name)))
		for _, e := range s.Events {
			check(s.Name+" "+e.Name, e.Attributes)
		}
	}
}

func TestOneTraceFromThePostToTheBotAPI(t *testing.T) {
	router := bot.New("echo")
	router.Message(func(ctx context.Context, t *bot.Turn) error { return t.Answer(ctx, t.Text()) })
	x := startTraced(t, router)
	x.post(7)
	x.await("answered and committed", func() bool { return len(x.spans("turn.run")) == 1 })
	post := x.only("ingress.webhook", trace.SpanKindServer, trace.SpanContext{}, map[string]string{
		"chatlane.bot": "111", "chatlane.update.id": "7", "chatlane.update.type": "message", "chatlane.outcome": "accepted",
	})
	publish := x.only("queue.publish", trace.SpanKindProducer, post, map[string]string{"chatlane.lane": "111:c:42"})
	run := x.only("turn.run", trace.SpanKindConsumer, publish, map[string]string{
		"chatlane.bot": "111", "chatlane.lane": "111:c:42", "chatlane.update.id": "7", "chatlane.update.type": "message", "chatlane.attempt": "1",
	})
	x.only("telegram.sendMessage", trace.SpanKindClient, run, map[string]string{
		"telegram.method": "sendMessage", "telegram.outcome": "ok",
	})
	x.secretive()
}

func TestDeadLetterCarriesTheTraceOfItsPost(t *testing.T) {
	router := bot.New("failing")
	router.Message(func(_ context.Context, t *bot.Turn) error { return errors.New("cannot do " + t.Text()) })
	x := startTraced(t, router)
	x.post(8)
	letters := deadletter.New(x.conn)
	var letter deadletter.Letter
	x.await("dead letter", func() bool {
		for l, err := range letters.All(t.Context(), deadletter.Filter{}) {
			if err == nil {
				letter = l
			}
		}
		return letter.ID != 0 && len(x.spans("turn.run")) == 2
	})
	post := x.only("ingress.webhook", trace.SpanKindServer, trace.SpanContext{}, nil)
	if letter.Trace != post.TraceID().String() {
		t.Errorf("the dead letter has trace %s, the request %s", letter.Trace, post.TraceID())
	}
	for i, s := range x.spans("turn.run") {
		want := strconv.Itoa(i + 1)
		if s.SpanContext.TraceID() != post.TraceID() || attr(s, "chatlane.attempt") != want || attr(s, "chatlane.reason") != "error" {
			t.Errorf("attempt %d: trace %v, %v", i+1, s.SpanContext.TraceID(), s.Attributes)
		}
	}
	x.secretive()
}
