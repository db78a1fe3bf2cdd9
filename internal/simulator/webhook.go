package simulator

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

type webhook struct {
	cfg       WebhookConfig
	targets   []string
	next      atomic.Uint64
	transport *http.Transport
	ramp      ramp

	// Guarded by the backlog's mutex.
	cancels   map[*slot]context.CancelFunc
	lastError string
	failedAt  time.Time
	goneSince time.Time // of the first 410 in a row
}

func (h *webhook) takes(kind string) bool {
	if len(h.cfg.AllowedUpdates) == 0 {
		return defaultAllowed(kind)
	}
	return slices.Contains(h.cfg.AllowedUpdates, kind)
}

func (b *backlog) setWebhook(cfg *WebhookConfig, dropPending bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.replace(cfg)
	if dropPending {
		b.clear()
	}
}

// replace needs b.mu.
func (b *backlog) replace(cfg *WebhookConfig) {
	old := b.webhook
	b.webhook = &webhook{cfg: *cfg, targets: cfg.targets(), cancels: make(map[*slot]context.CancelFunc)}
	b.webhook.ramp.strict = cfg.StrictConnections
	if old != nil {
		for _, cancel := range old.cancels {
			cancel()
		}
		if old.transport != nil {
			old.transport.CloseIdleConnections()
		}
	}
	b.load()
}

func (b *backlog) config() WebhookConfig {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.webhook.cfg
}

func (c WebhookConfig) targets() []string {
	if c.URL == "" {
		return nil
	}
	if len(c.Targets) == 0 {
		return []string{c.URL}
	}
	out := make([]string, len(c.Targets))
	for i, t := range c.Targets {
		out[i] = t
		if u, err := url.Parse(c.URL); err == nil && !strings.Contains(t, "://") {
			u.Host = t
			out[i] = u.String()
		}
	}
	return out
}

func (h *webhook) connect(dial func(ctx context.Context, network, addr string) (net.Conn, error), opened func()) {
	if dial == nil {
		dial = (&net.Dialer{Timeout: 10 * time.Second}).DialContext
	}
	h.transport = &http.Transport{
		MaxConnsPerHost: h.cfg.MaxConnections, MaxIdleConnsPerHost: h.cfg.MaxConnections,
		IdleConnTimeout: time.Minute, DisableCompression: true,
		WriteBufferSize: 8 << 10, ReadBufferSize: 4 << 10,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if err := h.ramp.wait(ctx); err != nil {
				return nil, err
			}
			c, err := dial(ctx, network, addr)
			if err != nil {
				h.ramp.closed()
				return nil, err
			}
			opened()
			return &outgoing{Conn: c, ramp: &h.ramp}, nil
		},
	}
}

type outgoing struct {
	net.Conn
	ramp   *ramp
	closed atomic.Bool
}

func (o *outgoing) Close() error {
	if !o.closed.Swap(true) {
		o.ramp.closed()
	}
	return o.Conn.Close()
}

// problem is getWebhookInfo's text for a failed delivery, in Telegram's words.
func problem(err error, code int) string {
	switch {
	case err == nil:
		return "Wrong response from the webhook: " + decimal(int64(code)) + " " + http.StatusText(code)
	case errors.Is(err, errReadTimeout):
		return "Read timeout expired"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "Connection refused"
	}
	return "Connection closed"
}

var errReadTimeout = errors.New("read timeout expired")
