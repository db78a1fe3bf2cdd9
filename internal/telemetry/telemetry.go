// Package telemetry sets up a process's logs, metrics, traces and admin server. The packages that record
// metrics and spans define them.
//
// Without configuration it exports nothing. Every log line with a context carries the trace id.
package telemetry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Config is the settings of logs, metrics and traces. The OpenTelemetry SDK reads its other variables itself
// (samplers, batches, headers, resource attributes).
type Config struct {
	AdminListen string `env:"CHATLANE_ADMIN_LISTEN" default:":9090" help:"Address of the admin server: /metrics, /healthz, /readyz."`
	Pprof       bool   `env:"CHATLANE_PPROF" help:"Serve /debug/pprof/ on the admin server."`
	LogLevel    string `env:"CHATLANE_LOG_LEVEL" default:"info" help:"Least level that is logged: debug, info, warn or error."`
	LogFormat   string `env:"CHATLANE_LOG_FORMAT" default:"json" help:"Form of the log on stderr: json or text."`

	Disabled       bool   `env:"OTEL_SDK_DISABLED" help:"Make no traces."`
	ServiceName    string `env:"OTEL_SERVICE_NAME" help:"Name of the service in traces; the program's name if empty."`
	Exporter       string `env:"OTEL_TRACES_EXPORTER" help:"Where traces go: otlp, console or none. If empty: otlp where an endpoint is set, else none."`
	Endpoint       string `env:"OTEL_EXPORTER_OTLP_ENDPOINT" help:"OTLP collector, over HTTP, such as http://collector:4318."`
	TracesEndpoint string `env:"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" help:"As above, for traces alone: the whole URL, with its path."`

	Service string    `kong:"-"` // name of the program, if OTEL_SERVICE_NAME is empty
	Output  io.Writer `kong:"-"` // of the log and console traces; nil means stderr
}

func (c Config) withDefaults() Config {
	c.AdminListen = cmp.Or(c.AdminListen, ":9090")
	c.LogLevel = cmp.Or(c.LogLevel, "info")
	c.LogFormat = cmp.Or(c.LogFormat, "json")
	c.Service = cmp.Or(c.Service, "chatlane")
	c.ServiceName = cmp.Or(c.ServiceName, c.Service)
	if c.Exporter == "" && c.Endpoint+c.TracesEndpoint != "" {
		c.Exporter = exporterOTLP
	}
	c.Exporter = cmp.Or(c.Exporter, exporterNone)
	if c.Output == nil {
		c.Output = os.Stderr
	}
	return c
}

// IsAddress reports whether text is an address to listen on: [host]:port.
func IsAddress(text string) bool {
	_, port, err := net.SplitHostPort(text)
	n, nerr := strconv.ParseUint(port, 10, 16)
	return err == nil && nerr == nil && n <= 65535
}

// Validate returns an error for each variable with a wrong value, joined.
func (c Config) Validate() error {
	c = c.withDefaults()
	var problems []error
	wrong := func(name, value, right string) {
		problems = append(problems, fmt.Errorf("%s: %q is unknown; set %s", name, value, right))
	}
	if _, err := level(c.LogLevel); err != nil {
		wrong("CHATLANE_LOG_LEVEL", c.LogLevel, "debug, info, warn or error")
	}
	if !IsAddress(c.AdminListen) {
		problems = append(problems, fmt.Errorf("CHATLANE_ADMIN_LISTEN: %q is no address; set one such as :9090", c.AdminListen))
	}
	if c.LogFormat != "json" && c.LogFormat != "text" {
		wrong("CHATLANE_LOG_FORMAT", c.LogFormat, "json or text")
	}
	switch c.Exporter {
	case exporterOTLP, exporterConsole, exporterNone:
	default:
		wrong("OTEL_TRACES_EXPORTER", c.Exporter, "otlp, console or none")
	}
	for name, value := range map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": c.Endpoint, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": c.TracesEndpoint,
	} {
		if u, err := url.Parse(value); value != "" && (err != nil || u.Host == "" || !strings.HasPrefix(u.Scheme, "http")) {
			problems = append(problems, fmt.Errorf("%s: the value is no URL; set it like http://collector:4318", name))
		}
	}
	return errors.Join(problems...)
}

// Telemetry is a process's logger, registry, tracers and admin server. Its fields are safe for concurrent use.
type Telemetry struct {
	Log      *slog.Logger
	Registry *prometheus.Registry
	Tracers  trace.TracerProvider
	Health   *Health
	Admin    *Admin

	flush []func(context.Context) error
}

// Start sets up logs, metrics and traces, and OpenTelemetry's global tracer provider, W3C propagator and
// error handler. ctx bounds only Start itself. The caller runs the admin server: [Admin.Run].
func Start(ctx context.Context, cfg Config) (*Telemetry, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	t := &Telemetry{Log: newLogger(cfg), Registry: newRegistry(), Health: &Health{}}
	if err := t.startTraces(ctx, cfg); err != nil {
		return nil, fmt.Errorf("start traces: %w", err)
	}
	otel.SetTracerProvider(t.Tracers)
	otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}))
	otel.SetErrorHandler(newErrorHandler(context.WithoutCancel(ctx), t.Log))
	t.flush = append(t.flush, takeStandard(t.Log))
	t.Admin = newAdmin(cfg, t)
	return t, nil
}

// Shutdown flushes traces, for as long as ctx allows.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	var problems []error
	for _, flush := range t.flush {
		problems = append(problems, flush(ctx))
	}
	t.flush = nil
	return errors.Join(problems...)
}

func newRegistry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewBuildInfoCollector(),
	)
	return reg
}
