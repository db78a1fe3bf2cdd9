package telemetry_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/testlog"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/chatlane/chatlane/internal/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type buffer = testlog.Buffer

func start(t *testing.T, cfg telemetry.Config) (*telemetry.Telemetry, *buffer) {
	t.Helper()
	var out buffer
	cfg.Output = &out
	tel, err := telemetry.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tel.Shutdown(context.Background()); err != nil {
			t.Errorf("shut down: %v", err)
		}
	})
	return tel, &out
}

func get(t *testing.T, h http.Handler, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

func TestLogLinesCarryTheTrace(t *testing.T) {
	tel, out := start(t, telemetry.Config{Service: "ingress"})
	ctx, span := otel.Tracer("test").Start(t.Context(), "work")
	defer span.End()
	tel.Log.With(slog.Int("bot", 1)).InfoContext(ctx, "hello")
	tel.Log.DebugContext(ctx, "not at this level")
	var line map[string]any
	if err := json.Unmarshal([]byte(out.String()), &line); err != nil {
		t.Fatal(err)
	}
	sc := span.SpanContext()
	if !sc.IsValid() || line["trace_id"] != sc.TraceID().String() || line["span_id"] != sc.SpanID().String() || line["service"] != "ingress" {
		t.Errorf("span %v logged as %v", sc, line)
	}
}

func TestDurationsAreLoggedForReaders(t *testing.T) {
	tel, out := start(t, telemetry.Config{Service: "worker"})
	tel.Log.With(slog.Duration("every", time.Minute)).InfoContext(t.Context(), "waits", slog.Duration("next_in", 1500*time.Millisecond))
	var line map[string]any
	if err := json.Unmarshal([]byte(out.String()), &line); err != nil {
		t.Fatal(err)
	}
	if line["next_in"] != "1.5s" || line["every"] != "1m0s" {
		t.Errorf("logged as %v", line)
	}
}

func TestNothingIsSampledWithoutAnExporter(t *testing.T) {
	tel, _ := start(t, telemetry.Config{})
	_, span := tel.Tracers.Tracer("test").Start(t.Context(), "work")
	defer span.End()
	if span.IsRecording() {
		t.Error("the span records with nobody to give it to")
	}
	header := http.Header{}
	otel.GetTextMapPropagator().Inject(trace.ContextWithSpan(t.Context(), span), propagation.HeaderCarrier(header))
	if header.Get("traceparent") == "" {
		t.Error("the trace is not handed on")
	}
}

func TestTracesGoToTheConsole(t *testing.T) {
	tel, out := start(t, telemetry.Config{Exporter: "console", ServiceName: "named"})
	_, span := tel.Tracers.Tracer("test").Start(t.Context(), "work.done")
	span.End()
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "work.done") || !strings.Contains(out.String(), "named") {
		t.Errorf("console shows no span: %s", out)
	}
}

func TestTracesGoToTheCollectorAtShutdown(t *testing.T) {
	paths := make(chan string, 8)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		paths <- r.URL.Path
	}))
	defer collector.Close()
	for endpoint, path := range map[telemetry.Config]string{
		{Endpoint: collector.URL + "/"}:           "/v1/traces",
		{TracesEndpoint: collector.URL + "/mine"}: "/mine",
	} {
		tel, _ := start(t, endpoint)
		_, span := tel.Tracers.Tracer("test").Start(t.Context(), "work")
		span.End()
		if err := tel.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := <-paths; got != path {
			t.Errorf("posted to %s, want %s", got, path)
		}
	}
}

func TestFailingExportsAreLoggedOnce(t *testing.T) {
	_, out := start(t, telemetry.Config{})
	for range 5 {
		otel.Handle(errors.New("collector away"))
	}
	if got := strings.Count(out.String(), "collector away"); got != 1 {
		t.Errorf("logged %d times, want once", got)
	}
}

func TestDisabledMakesNoTraces(t *testing.T) {
	tel, _ := start(t, telemetry.Config{Disabled: true, Exporter: "console"})
	_, span := tel.Tracers.Tracer("test").Start(t.Context(), "work")
	if span.SpanContext().IsValid() {
		t.Error("there is a trace")
	}
}

func TestWrongSettingsAreAllNamed(t *testing.T) {
	_, err := telemetry.Start(t.Context(), telemetry.Config{
		LogLevel: "loud", LogFormat: "xml", Exporter: "jaeger", Endpoint: "collector:4318",
	})
	for _, name := range []string{"CHATLANE_LOG_LEVEL", "CHATLANE_LOG_FORMAT", "OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named by: %v", name, err)
		}
	}
}

func TestReadinessGivesItsReasons(t *testing.T) {
	tel, _ := start(t, telemetry.Config{})
	ask := func(code int, body string) {
		t.Helper()
		if gotCode, got := get(t, tel.Admin, "/readyz"); gotCode != code || got != body+"\n" {
			t.Errorf("readyz: %d %s, want %d %s", gotCode, got, code, body)
		}
	}
	ask(200, `{"ready":true}`)
	tel.Health.SetNotReady("ingress", "starting")
	broker := errors.New("not connected")
	tel.Health.Check("nats", func(context.Context) error { return broker })
	tel.Health.Check("odd", func(context.Context) error { panic("odd") })
	ask(503, `{"ready":false,"reasons":{"ingress":"starting","nats":"not connected","odd":"the check panicked: odd"}}`)
	tel.Health.SetReady("ingress")
	tel.Health.Check("odd", func(context.Context) error { return nil })
	broker = nil
	ask(200, `{"ready":true}`)
	if code, body := get(t, tel.Admin, "/healthz"); code != 200 || body != "alive\n" {
		t.Errorf("healthz: %d %s", code, body)
	}
}

func TestMetricsAndProfilesAreServed(t *testing.T) {
	tel, _ := start(t, telemetry.Config{})
	code, body := get(t, tel.Admin, "/metrics")
	for _, name := range []string{"go_goroutines", "process_cpu_seconds_total", "go_build_info"} {
		if code != 200 || !strings.Contains(body, name) {
			t.Errorf("metrics: %d, without %s", code, name)
		}
	}
	if code, _ := get(t, tel.Admin, "/debug/pprof/"); code != 404 {
		t.Errorf("profiles are served unasked: %d", code)
	}
	tel, _ = start(t, telemetry.Config{Pprof: true})
	if code, _ := get(t, tel.Admin, "/debug/pprof/"); code != 200 {
		t.Errorf("profiles: %d", code)
	}
}

func TestAdminServerEndsWithItsContext(t *testing.T) {
	tel, _ := start(t, telemetry.Config{AdminListen: "127.0.0.1:0"})
	ctx, cancel := context.WithCancel(t.Context())
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- tel.Admin.Serve(ctx, ln) }()
	client := http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	resp, err := client.Get("http://" + ln.Addr().String() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestTakenAdminAddressNamesTheVariable(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	tel, _ := start(t, telemetry.Config{AdminListen: ln.Addr().String()})
	if err := tel.Admin.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "CHATLANE_ADMIN_LISTEN") {
		t.Errorf("error is %v", err)
	}
}
