package forward

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/telemetry"
)

// Config says where updates go. Targets is required; other zero values are usable.
type Config struct {
	Targets     map[int64]Target  // by the bot's id
	Connections int               // kept open to each bot; 0 means 1024
	MaxAnswer   int64             // bytes; 0 means 512 KiB
	Transport   http.RoundTripper // nil means one of the forwarder's own
}

// Forwarder posts updates. Safe for concurrent use.
type Forwarder struct {
	cfg     Config
	http    *http.Client
	log     *slog.Logger
	metrics metrics
	tracer  trace.Tracer
	carrier propagation.TextMapPropagator
	said    map[int64]*atomic.Int64 // when it was last logged that a bot is away, Unix ns
	crashes map[int64]*crashes      // by bot
}

// New makes a forwarder; the targets must be valid.
func New(cfg Config, log *slog.Logger, reg prometheus.Registerer) *Forwarder {
	cfg.Connections = cmp.Or(cfg.Connections, 1024)
	cfg.MaxAnswer = cmp.Or(cfg.MaxAnswer, 512<<10) // its text in the journal still fits a message of the broker
	if cfg.Transport == nil {
		cfg.Transport = newTransport(cfg.Connections)
	}
	died := make(map[int64]*crashes, len(cfg.Targets))
	said := make(map[int64]*atomic.Int64, len(cfg.Targets))
	for id := range cfg.Targets {
		said[id], died[id] = new(atomic.Int64), newCrashes()
	}
	return &Forwarder{
		cfg: cfg, log: telemetry.Throttled(log), metrics: newMetrics(reg), said: said, crashes: died,
		http: &http.Client{
			Transport:     cfg.Transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		tracer:  otel.Tracer("github.com/chatlane/chatlane/internal/forward"),
		carrier: otel.GetTextMapPropagator(),
	}
}

// newTransport keeps a connection for each turn that may run at once. It drops idle ones before servers in
// Node and Python do (5 s), since a request written into a closing connection counts as lost.
func newTransport(connections int) *http.Transport {
	dialer := net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}
	t := &http.Transport{
		DialContext:         dialer.DialContext,
		TLSHandshakeTimeout: 5 * time.Second,
		MaxIdleConnsPerHost: connections,
		IdleConnTimeout:     4 * time.Second,
		DisableCompression:  true,
		Protocols:           new(http.Protocols),
	}
	t.Protocols.SetHTTP1(true)
	return t
}

// Close drops idle connections.
func (f *Forwarder) Close() { f.http.CloseIdleConnections() }

// Router sends every update to the POST.
func (f *Forwarder) Router() *bot.Router {
	r := bot.New("forward")
	r.On(bot.AnyUpdate, f.handle)
	return r
}

func (f *Forwarder) handle(ctx context.Context, t *bot.Turn) error {
	target, ok := f.cfg.Targets[t.Bot().ID]
	if !ok {
		return fmt.Errorf("bot %d has no address to forward to", t.Bot().ID)
	}
	answer, err := bot.Once(ctx, t, "forward", func(ctx context.Context) (reply, error) {
		return f.post(ctx, target, t)
	})
	if err != nil {
		f.tell(ctx, t.Bot().ID, err)
		return fmt.Errorf("forward update: %w", err)
	}
	return f.carryOut(ctx, t, answer)
}

// tell logs once a minute that a bot is away: thousands of lanes may wait for it.
func (f *Forwarder) tell(ctx context.Context, id int64, err error) {
	var away *bot.UnavailableError
	now, said := time.Now().UnixNano(), f.said[id]
	if last := said.Load(); !errors.As(err, &away) || now-last < int64(time.Minute) || !said.CompareAndSwap(last, now) {
		return
	}
	f.log.WarnContext(ctx, "bot takes no updates, its chats wait", slog.Int64("bot", id), slog.String("error", err.Error()))
}
