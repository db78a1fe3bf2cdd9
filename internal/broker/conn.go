package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Config says how to reach the broker.
type Config struct {
	URL       string // one or several, separated by commas
	Name      string // shown by the broker's monitoring
	Namespace string // tells installations on the same servers apart; may be empty
	Program   string // ingress, worker or operator: its inboxes are its own, so that permissions can tell programs apart

	// At most one way to log in.
	Creds    string // path of a credentials file
	NKey     string // seed
	User     string
	Password string
	Token    string

	CAFile   string // path, PEM; empty: the system's
	CertFile string // path, PEM, of the client's certificate
	KeyFile  string // path, PEM

	FailFast    bool          // publishing fails at once while disconnected: ingress has Telegram as its buffer
	PublishWait time.Duration // for one PubAck; 0 means 2 s
	Logger      *slog.Logger
	Options     []nats.Option // added last
}

// Conn is one connection to the broker. It reconnects for ever, with jitter, and logs only changes
// of its state. Safe for concurrent use.
type Conn struct {
	nc    *nats.Conn
	js    jetstream.JetStream
	names Names
	log   *slog.Logger
}

// Connect dials the broker once.
func Connect(ctx context.Context, cfg Config) (*Conn, error) {
	if cfg.PublishWait <= 0 {
		cfg.PublishWait = 2 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	login, err := cfg.login()
	if err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	nc, err := nats.Connect(cfg.URL, slices.Concat(options(ctx, cfg), login, cfg.Options)...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	js, err := jetstream.New(nc,
		jetstream.WithPublishAsyncTimeout(cfg.PublishWait),
		jetstream.WithPublishAsyncMaxPending(16384))
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("open JetStream: %w", err)
	}
	return &Conn{nc: nc, js: js, names: NamesIn(cfg.Namespace), log: cfg.Logger}, nil
}

func options(ctx context.Context, cfg Config) []nats.Option {
	ctx = context.WithoutCancel(ctx)
	log := cfg.Logger
	var repeated repetition
	opts := []nats.Option{
		nats.Name(cfg.Name),
		nats.MaxReconnects(-1),
		nats.IgnoreAuthErrorAbort(), // else two refused logins in a row end the connection for good
		nats.ReconnectWait(100 * time.Millisecond),
		nats.ReconnectJitter(400*time.Millisecond, time.Second),
		nats.PingInterval(2 * time.Second),
		nats.MaxPingsOutstanding(2),
		nats.Timeout(2 * time.Second),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				log.WarnContext(ctx, "broker connection lost, reconnecting", slog.String("error", err.Error()))
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			log.InfoContext(ctx, "broker connection restored", slog.String("server", nc.ConnectedServerName()))
		}),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			subject := ""
			if sub != nil {
				subject = sub.Subject
			}
			if repeated.suppresses(subject+err.Error(), time.Now()) {
				return
			}
			log.WarnContext(ctx, "broker connection error", slog.String("subject", subject), slog.String("error", err.Error()))
		}),
	}
	if cfg.Program != "" {
		opts = append(opts, nats.CustomInboxPrefix(NamesIn(cfg.Namespace).Inbox(cfg.Program)))
	}
	if cfg.FailFast {
		opts = append(opts, nats.ReconnectBufSize(-1))
	}
	return opts
}

// repeatAfter is when a lasting error is logged again: a refused login comes several times a second.
const repeatAfter = 30 * time.Second

// repetition needs no lock: the client calls its handlers one after the other.
type repetition struct {
	text string
	at   time.Time
}

func (r *repetition) suppresses(text string, now time.Time) bool {
	if r.text == text && now.Sub(r.at) < repeatAfter {
		return true
	}
	r.text, r.at = text, now
	return false
}

// ErrDisconnected means that there is no connection to the broker at this moment.
var ErrDisconnected = errors.New("not connected to NATS")

// Ready is nil while the connection is up, else the client's last error.
func (c *Conn) Ready(context.Context) error {
	if c.nc.IsConnected() {
		return nil
	}
	err := fmt.Errorf("%w: %s", ErrDisconnected, c.nc.Status())
	if last := c.nc.LastError(); last != nil {
		err = fmt.Errorf("%w: %w", err, last)
	}
	return err
}

// ErrClosed means that the connection has ended for good, but not by Close.
var ErrClosed = errors.New("connection to NATS has ended for good; restart the process")

// Watch returns ErrClosed when the connection ends for good, or nil when ctx ends.
func (c *Conn) Watch(ctx context.Context) error {
	closed := c.nc.StatusChanged(nats.CLOSED)
	defer c.nc.RemoveStatusListener(closed)
	if !c.nc.IsClosed() {
		select {
		case <-ctx.Done():
			return nil
		case <-closed:
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	if last := c.nc.LastError(); last != nil {
		return fmt.Errorf("%w: %w", ErrClosed, last)
	}
	return ErrClosed
}

// MaxPayload is the broker's largest message in bytes, headers included.
func (c *Conn) MaxPayload() int64 { return c.nc.MaxPayload() }

// Names are those of the connection's installation.
func (c *Conn) Names() Names { return c.names }

// NATS is the raw connection, for what is outside of JetStream.
func (c *Conn) NATS() *nats.Conn { return c.nc }

// JetStream is shared by everything on this connection.
func (c *Conn) JetStream() jetstream.JetStream { return c.js }

// Close flushes and closes.
func (c *Conn) Close(ctx context.Context) {
	c.Flush(ctx)
	c.nc.Close()
}

// Flush sends what is buffered, for at most a second. Redelivery makes up for what did not arrive.
func (c *Conn) Flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = c.nc.FlushWithContext(ctx)
}

// Stream asks the broker for a stream as it is now.
func (c *Conn) Stream(ctx context.Context, name string) (jetstream.Stream, error) {
	s, err := c.js.Stream(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("look up stream %s: %w", name, err)
	}
	return s, nil
}

// Has reports whether a stream exists.
func (c *Conn) Has(ctx context.Context, stream string) (bool, error) {
	_, err := c.Stream(ctx, stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return false, nil
	}
	return err == nil, err
}

// StreamWithRetry asks again after every, until ctx ends: a request during an election may get no answer.
func (c *Conn) StreamWithRetry(ctx context.Context, name string, every time.Duration) (s jetstream.Stream, asked time.Time, err error) {
	for {
		try, stop := context.WithTimeout(ctx, every)
		asked = time.Now()
		s, err = c.js.Stream(try, name)
		stop()
		switch {
		case err == nil:
			return s, asked, nil
		case ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded):
			return nil, asked, fmt.Errorf("look up stream %s: %w", name, err)
		}
	}
}
