package ingress

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	// idleTimeout exceeds the 60 s after which Telegram closes an idle connection: if ingress closed first,
	// it could do so while a request is on its way.
	idleTimeout = 75 * time.Second
	readTimeout = 15 * time.Second
	headTimeout = 5 * time.Second
	// maxHead is in bytes. Telegram's heads have 4 KiB at most.
	maxHead = 16 << 10
)

// Server serves a handler on keep-alive connections of limited age. Telegram keeps its connections, so
// without the limit a new instance would receive no traffic.
type Server struct {
	handler http.Handler
	maxAge  time.Duration
	grace   time.Duration
	log     *slog.Logger
	conns   conns
	leaving atomic.Bool
}

// NewServer serves h. It takes ConnMaxAge, MaxConns and Grace from cfg.
func NewServer(cfg Config, h http.Handler, log *slog.Logger) *Server {
	cfg = cfg.WithDefaults()
	return &Server{handler: h, maxAge: cfg.ConnMaxAge, grace: cfg.Grace, log: log, conns: conns{max: cfg.MaxConns}}
}

// Leave closes each connection with its next answer, and goes on accepting: senders open their next
// connections elsewhere before the listener closes.
func (s *Server) Leave() { s.leaving.Store(true) }

// Serve accepts from ln until ctx ends, then closes ln and idle connections and answers requests in flight
// within the grace period.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	srv := &http.Server{
		Handler:           s.aging(s.handler),
		ConnContext:       s.connContext,
		ConnState:         s.conns.changed,
		ReadHeaderTimeout: headTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      2 * readTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHead,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), // broken handshakes and the like
	}
	drained := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() { drained <- s.drain(ctx, srv) })
	err := srv.Serve(ln)
	if stop() {
		return fmt.Errorf("serve webhook: %w", err) // it failed before ctx ended
	}
	return <-drained
}

func (s *Server) drain(ctx context.Context, srv *http.Server) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.grace)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("answer requests in flight: %w", err), srv.Close())
	}
	return nil
}

// connContext sets a connection's deadline: the maximum age, a fifth more or less.
func (s *Server) connContext(ctx context.Context, c net.Conn) context.Context {
	jitter := 0.8 + 0.4*rand.Float64() //nolint:gosec // spreads load, guards nothing
	return s.conns.add(c, time.Now().Add(time.Duration(jitter*float64(s.maxAge)))).in(ctx)
}

// aging closes a connection with the first answer after its deadline, and with any answer once the server
// leaves. All other answers keep it open: without keep-alive Telegram slows down to 20 updates a second.
func (s *Server) aging(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := connOf(r); s.leaving.Load() || ok && time.Now().After(c.end) {
			w.Header()["Connection"] = []string{"close"}
		}
		next.ServeHTTP(w, r)
	})
}
