package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Client calls the Bot API, for any number of bots. Safe for concurrent use.
type Client struct {
	cfg     Config
	limiter Limiter
	http    *http.Client
	metrics *metrics
	tracer  trace.Tracer
	kinds   map[string]string
	once    map[string]bool // methods that are at-most-once
}

// NewClient makes a client; cfg must be valid. A nil limiter means no limits.
func NewClient(cfg Config, limiter Limiter, reg prometheus.Registerer) *Client {
	cfg = cfg.withDefaults()
	if cfg.Transport == nil {
		cfg.Transport = newTransport(cfg)
	}
	once := make(map[string]bool, len(cfg.AtMostOnce))
	for _, method := range cfg.AtMostOnce {
		once[Method(method)] = true
	}
	return &Client{
		cfg: cfg, limiter: limiter, once: once, kinds: kinds(),
		http: &http.Client{
			Transport:     cfg.Transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		metrics: newMetrics(reg),
		tracer:  otel.Tracer("github.com/chatlane/chatlane/internal/telegram/api"),
	}
}

// newTransport speaks HTTP/1.1: one call per connection, so that a broken connection loses one answer. It
// drops idle connections before servers usually do, since a call written to a closed one is an answer lost.
func newTransport(cfg Config) *http.Transport {
	dialer := net.Dialer{Timeout: cfg.DialTimeout, KeepAlive: 30 * time.Second}
	t := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dialer.DialContext,
		TLSHandshakeTimeout: cfg.DialTimeout,
		MaxIdleConns:        1024,
		MaxIdleConnsPerHost: 256,
		IdleConnTimeout:     30 * time.Second,
		Protocols:           new(http.Protocols),
	}
	t.Protocols.SetHTTP1(true)
	return t
}

// Close drops idle connections. Calls under way go on.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Call makes a call outside of any turn: not journaled, but limited, retried and observed. The timeout of a
// getUpdates is added to Config.Timeout.
func (c *Client) Call(ctx context.Context, token Token, method string, params any) (json.RawMessage, error) {
	method = Method(method)
	raw, err := encode(params)
	if err != nil {
		return nil, fmt.Errorf("telegram %s: %w", c.metrics.label(method), err)
	}
	return c.observe(ctx, method, func(ctx context.Context) (json.RawMessage, string, error) {
		result, err := c.deliver(ctx, token, request{method: method, params: raw})
		return result, outcomeOf(err), err
	})
}

// Account is a client and one bot's token.
type Account struct {
	client *Client
	token  Token
}

func (c *Client) Account(token Token) Account { return Account{client: c, token: token} }

func (a Account) Call(ctx context.Context, method string, params any) (json.RawMessage, error) {
	return a.client.Call(ctx, a.token, method, params)
}

func (c *Client) observe(
	ctx context.Context, method string, call func(context.Context) (json.RawMessage, string, error),
) (json.RawMessage, error) {
	label := c.metrics.label(method)
	ctx, span := c.tracer.Start(ctx, "telegram."+label, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.String("telegram.method", label)))
	defer span.End()
	result, outcome, err := call(ctx)
	c.metrics.calls.WithLabelValues(label, outcome).Inc()
	span.SetAttributes(attribute.String("telegram.outcome", outcome))
	if err != nil {
		span.SetStatus(codes.Error, outcome) // the text of an error may quote what was sent
	}
	return result, err
}

func encode(params any) (json.RawMessage, error) {
	switch p := params.(type) {
	case nil:
		return json.RawMessage("{}"), nil
	case json.RawMessage:
		if len(p) == 0 {
			return json.RawMessage("{}"), nil
		}
		return p, nil
	}
	raw, err := json.Marshal(params)
	if err != nil {
		return nil, fmt.Errorf("encode parameters: %w", err)
	}
	return raw, nil
}
