package telemetry

import (
	"bytes"
	"context"
	"log"
	"log/slog"
	"regexp"

	"go.opentelemetry.io/otel/trace"
)

func level(name string) (slog.Level, error) {
	var l slog.Level
	err := l.UnmarshalText([]byte(name))
	return l, err
}

func newLogger(cfg Config) *slog.Logger {
	least, err := level(cfg.LogLevel)
	if err != nil {
		least = slog.LevelInfo
	}
	opts := &slog.HandlerOptions{Level: least, ReplaceAttr: readable}
	var h slog.Handler = slog.NewJSONHandler(cfg.Output, opts)
	if cfg.LogFormat == "text" {
		h = slog.NewTextHandler(cfg.Output, opts)
	}
	return slog.New(traceHandler{h}).With(slog.String("service", cfg.ServiceName))
}

// readable writes durations as "1.5s": JSON would have nanoseconds.
func readable(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}

type traceHandler struct{ slog.Handler }

func (h traceHandler) Handle(ctx context.Context, r slog.Record) error {
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		r.AddAttrs(slog.String("trace_id", sc.TraceID().String()), slog.String("span_id", sc.SpanID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

func (h traceHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return traceHandler{h.Handler.WithAttrs(attrs)}
}

func (h traceHandler) WithGroup(name string) slog.Handler {
	return traceHandler{h.Handler.WithGroup(name)}
}

// standard takes what libraries write by package log, such as net/http about an answer that nobody asked for, which
// may quote what was sent.
type standard struct{ log *slog.Logger }

// tokens finds what looks like a bot's token.
var tokens = regexp.MustCompile(`\d{4,}(?::|%3[Aa])[\w-]{20,}`)

// Write logs one line.
func (s standard) Write(line []byte) (int, error) {
	text := tokens.ReplaceAll(bytes.TrimSpace(line), []byte("[redacted]"))
	s.log.Warn("a library reports", slog.String("text", string(text)))
	return len(line), nil
}

// takeStandard sends the standard logger's lines to ours until give is called.
func takeStandard(to *slog.Logger) (give func(context.Context) error) {
	out, flags, prefix := log.Writer(), log.Flags(), log.Prefix()
	log.SetOutput(standard{to})
	log.SetFlags(0)
	log.SetPrefix("")
	return func(context.Context) error {
		log.SetOutput(out)
		log.SetFlags(flags)
		log.SetPrefix(prefix)
		return nil
	}
}
