package api_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/chatlane/chatlane/internal/telegram/api"
)

// seen is one request that the server got whole.
type seen struct {
	method string
	params map[string]any    // of JSON
	fields map[string]string // of a form
	files  map[string]string // name and content of a form's files
}

// botAPI is a Bot API server whose answers a test chooses.
type botAPI struct {
	*httptest.Server
	tb    testing.TB
	spans *tracetest.InMemoryExporter
	reg   *prometheus.Registry
	logs  bytes.Buffer // errors that tests met

	mu    sync.Mutex
	seen  []seen
	reply func(w http.ResponseWriter, n int, s seen) // n counts requests from 1
}

const sent = `{"ok":true,"result":{"message_id":7,"date":1,"chat":{"id":5,"type":"private"}}}`

func start(tb testing.TB, reply func(w http.ResponseWriter, n int, s seen)) *botAPI {
	tb.Helper()
	a := &botAPI{tb: tb, reply: reply, spans: tracetest.NewInMemoryExporter(), reg: prometheus.NewRegistry()}
	otel.SetTracerProvider(trace.NewTracerProvider(trace.WithSyncer(a.spans)))
	a.Server = httptest.NewServer(a)
	tb.Cleanup(a.stop)
	return a
}

// stop also looks for the token in all that was said meanwhile.
func (a *botAPI) stop() {
	a.CloseClientConnections()
	a.Close()
	spans, _ := json.Marshal(a.spans.GetSpans())
	said := a.logs.String() + string(spans) + fmt.Sprintf("%+v", a.spans.GetSpans())
	families, err := a.reg.Gather()
	if err != nil {
		a.tb.Error(err)
	}
	for _, f := range families {
		said += f.String()
	}
	if strings.Contains(said, secretPart) {
		a.tb.Error("the token is in an error, a span or a metric")
	}
}

func (a *botAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := seen{method: path.Base(r.URL.Path)}
	if r.URL.Path != "/bot"+tokenText+"/"+s.method || r.Method != http.MethodPost {
		a.tb.Errorf("request to a wrong path or by %s", r.Method)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // it did not come whole
	}
	kind, attrs, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch kind {
	case "application/json":
		if err := json.Unmarshal(body, &s.params); err != nil {
			a.tb.Errorf("parameters: %v", err)
		}
	case "multipart/form-data":
		a.form(&s, multipart.NewReader(bytes.NewReader(body), attrs["boundary"]))
	default:
		a.tb.Errorf("content type %q", kind)
	}
	a.mu.Lock()
	a.seen = append(a.seen, s)
	n := len(a.seen)
	a.mu.Unlock()
	a.reply(w, n, s)
}

func (a *botAPI) form(s *seen, r *multipart.Reader) {
	s.fields, s.files = map[string]string{}, map[string]string{}
	for {
		p, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			a.tb.Errorf("form: %v", err)
			return
		}
		text, _ := io.ReadAll(p)
		if p.FileName() != "" {
			s.files[p.FormName()] = p.FileName() + "=" + string(text)
		} else {
			s.fields[p.FormName()] = string(text)
		}
	}
}

func (a *botAPI) requests() []seen {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.seen
}

// client makes a client of the server's, with short waits.
func (a *botAPI) client(cfg api.Config, l api.Limiter) *api.Client {
	cfg.BaseURL = a.URL
	if cfg.Backoff == 0 {
		cfg.Backoff = time.Millisecond
	}
	a.reg = prometheus.NewRegistry()
	c := api.NewClient(cfg, l, a.reg)
	a.tb.Cleanup(c.Close)
	return c
}

// met keeps an error for the look at what was said.
func (a *botAPI) met(err error) error {
	if err != nil {
		_, _ = fmt.Fprintf(&a.logs, "%v %+v %#v\n", err, err, err)
		for u := errors.Unwrap(err); u != nil; u = errors.Unwrap(u) {
			_, _ = fmt.Fprintf(&a.logs, "%v %+v %#v\n", u, u, u)
		}
	}
	return err
}

// count is the sum of a metric over those of its labels that are named as values.
func (a *botAPI) count(name string, labels ...string) (sum float64) {
	a.tb.Helper()
	families, err := a.reg.Gather()
	if err != nil {
		a.tb.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
	series:
		for _, m := range f.GetMetric() {
			for _, want := range labels {
				found := false
				for _, l := range m.GetLabel() {
					found = found || l.GetValue() == want
				}
				if !found {
					continue series
				}
			}
			sum += m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return sum
}

// say answers with a status and a body.
func say(status int, body string, header ...string) func(http.ResponseWriter, int, seen) {
	return func(w http.ResponseWriter, _ int, _ seen) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// hangUp closes the connection of a request that was read, after part of an answer.
func hangUp(w http.ResponseWriter, answer string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_, _ = io.WriteString(conn, answer)
		_ = conn.Close()
	}
}
