package telemetry

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// The exporters, by their names in OTEL_TRACES_EXPORTER.
const (
	exporterOTLP    = "otlp"
	exporterConsole = "console"
	exporterNone    = "none"
)

// startTraces makes the tracer provider and has it flushed at the end.
func (t *Telemetry) startTraces(ctx context.Context, cfg Config) error {
	if cfg.Disabled {
		t.Tracers = noop.NewTracerProvider()
		return nil
	}
	if cfg.Exporter == exporterNone {
		// Not sampled, but with ids: they tie log lines of one update together.
		t.Tracers = sdktrace.NewTracerProvider(
			sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.NeverSample())))
		return nil
	}
	exporter, err := newExporter(ctx, cfg)
	if err != nil {
		return err
	}
	about, err := newResource(ctx, cfg.ServiceName)
	if err != nil {
		return err
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	t.Tracers = provider
	t.flush = append(t.flush, provider.Shutdown)
	return nil
}

func newExporter(ctx context.Context, cfg Config) (sdktrace.SpanExporter, error) {
	if cfg.Exporter == exporterConsole {
		return stdouttrace.New(stdouttrace.WithWriter(cfg.Output))
	}
	var opts []otlptracehttp.Option
	switch {
	case cfg.TracesEndpoint != "":
		opts = append(opts, otlptracehttp.WithEndpointURL(cfg.TracesEndpoint))
	case cfg.Endpoint != "":
		opts = append(opts, otlptracehttp.WithEndpointURL(strings.TrimRight(cfg.Endpoint, "/")+"/v1/traces"))
	}
	return otlptracehttp.New(ctx, opts...)
}

// newResource names the service; OTEL_RESOURCE_ATTRIBUTES may add to it.
func newResource(ctx context.Context, service string) (*resource.Resource, error) {
	return resource.New(ctx,
		resource.WithTelemetrySDK(),
		resource.WithHost(),
		resource.WithFromEnv(),
		resource.WithAttributes(attribute.String("service.name", service)),
	)
}

// quiet is how long repeated errors of the SDK are kept out of the log.
const quiet = time.Minute

// errorHandler logs what goes wrong with traces, a line a minute at most.
type errorHandler struct {
	log func(err error, unsaid int)

	mu     sync.Mutex
	last   time.Time
	unsaid int
}

func newErrorHandler(ctx context.Context, log *slog.Logger) otel.ErrorHandler {
	return &errorHandler{log: func(err error, unsaid int) {
		log.WarnContext(ctx, "telemetry failed",
			slog.String("error", err.Error()), slog.Int("unsaid", unsaid))
	}}
}

// Handle is called by the SDK, from any goroutine.
func (h *errorHandler) Handle(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now := time.Now(); now.Sub(h.last) >= quiet {
		h.log(err, h.unsaid)
		h.last, h.unsaid = now, 0
		return
	}
	h.unsaid++
}
