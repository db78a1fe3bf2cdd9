package telemetry

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

const (
	exporterOTLP    = "otlp"
	exporterConsole = "console"
	exporterNone    = "none"
)

func (t *Telemetry) startTraces(ctx context.Context, cfg Config) error {
	if cfg.Disabled {
		t.Tracers = noop.NewTracerProvider()
		return nil
	}
	if cfg.Exporter == exporterNone {
		// Nothing is sampled, but spans have ids, which connect the log lines of one update.
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

func newResource(ctx context.Context, service string) (*resource.Resource, error) {
	return resource.New(ctx,
		resource.WithTelemetrySDK(),
		resource.WithHost(),
		resource.WithFromEnv(),
		resource.WithAttributes(attribute.String("service.name", service)),
	)
}

const errorPause = time.Minute

func newErrorHandler(ctx context.Context, log *slog.Logger) otel.ErrorHandler {
	limiter := LogLimiter{Every: errorPause}
	return otel.ErrorHandlerFunc(func(err error) {
		if suppressed, ok := limiter.Allow(); ok {
			log.WarnContext(ctx, "telemetry failed", slog.String("error", err.Error()), slog.Int("suppressed", suppressed))
		}
	})
}
