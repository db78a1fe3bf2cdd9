package simulator_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatlane/chatlane/internal/simulator"
)

// pipes is a listener in memory, so that HTTP works inside a synctest bubble.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
	mu     sync.Mutex
	dialed []time.Time
}

func newPipes() *pipes {
	return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	p.mu.Lock()
	p.dialed = append(p.dialed, time.Now())
	p.mu.Unlock()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.closed:
		return nil, errors.New("refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) dials() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.dialed)
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// in runs f in a bubble, with the sender running and hook answering its requests.
func in(t *testing.T, cfg simulator.Config, hook http.HandlerFunc, f func(t *testing.T, tg *simulator.Telegram, net *pipes)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		net := newPipes()
		cfg.Dial = net.dial
		if cfg.Webhook.URL == "" {
			cfg.Webhook.URL = "http://webhook.test/hook"
		}
		tg := simulator.New(cfg)
		var handlers, running sync.WaitGroup
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			handlers.Add(1)
			defer handlers.Done()
			hook(w, r)
		})}
		ctx, cancel := context.WithCancel(t.Context())
		running.Go(func() { _ = srv.Serve(net) })
		running.Go(func() { _ = tg.Run(ctx) })
		f(t, tg, net)
		cancel()
		_ = srv.Close()
		running.Wait()
		handlers.Wait()
	})
}

type seen struct {
	at   time.Duration // since the bubble's start
	body string
}

// log keeps the requests that a webhook got.
type log struct {
	mu    sync.Mutex
	start time.Time
	got   []seen
}

func (l *log) add(r *http.Request) string {
	body, _ := io.ReadAll(r.Body)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.start.IsZero() {
		l.start = time.Now()
	}
	l.got = append(l.got, seen{time.Since(l.start), string(body)})
	return string(body)
}

func (l *log) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.got)
}

func (l *log) times() []time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []time.Duration
	for _, s := range l.got {
		out = append(out, s.at.Round(time.Millisecond))
	}
	return out
}
