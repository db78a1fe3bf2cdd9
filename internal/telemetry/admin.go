package telemetry

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Admin serves /metrics, /healthz, /readyz and, where enabled, /debug/pprof/.
type Admin struct {
	addr string
	mux  *http.ServeMux
	log  *slog.Logger
}

func newAdmin(cfg Config, t *Telemetry) *Admin {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(t.Registry, promhttp.HandlerOpts{
		Registry: t.Registry, EnableOpenMetrics: true,
	}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "alive\n")
	})
	mux.Handle("GET /readyz", t.Health)
	if cfg.Pprof {
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.Handle("/debug/pprof/cmdline", http.NotFoundHandler()) // flags may hold secrets
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	return &Admin{addr: cfg.AdminListen, mux: mux, log: t.Log}
}

// ServeHTTP answers as JSON: 200 if the process is ready, else 503 with the reasons.
func (h *Health) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	reasons := h.Reasons(r.Context())
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if len(reasons) > 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(struct { // an error means that the client is gone
		Ready   bool              `json:"ready"`
		Reasons map[string]string `json:"reasons,omitempty"`
		Notes   map[string]string `json:"notes,omitempty"`
	}{len(reasons) == 0, reasons, h.Notes()})
}

// ServeHTTP answers as the admin server does.
func (a *Admin) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// Handle adds a page, such as "GET /scale". A taken pattern panics. Safe for concurrent use.
func (a *Admin) Handle(pattern string, h http.Handler) { a.mux.Handle(pattern, h) }

// Listen opens the address. An error names the variable.
func (a *Admin) Listen(ctx context.Context) (net.Listener, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", a.addr)
	if err != nil {
		return nil, fmt.Errorf("CHATLANE_ADMIN_LISTEN: %w; set a free address such as :9090", err)
	}
	return ln, nil
}

// Run listens and serves until ctx ends.
func (a *Admin) Run(ctx context.Context) error {
	ln, err := a.Listen(ctx)
	if err != nil {
		return err
	}
	return a.Serve(ctx, ln)
}

// Serve serves on ln until ctx ends, and closes it.
func (a *Admin) Serve(ctx context.Context, ln net.Listener) error {
	a.log.InfoContext(ctx, "admin server listens", slog.String("address", ln.Addr().String()))
	srv := &http.Server{
		Handler: a.mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelWarn),
	}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if srv.Shutdown(closing) != nil {
			_ = srv.Close() // a running profile must not delay the exit
		}
	})
	err := srv.Serve(ln)
	if stop() {
		return fmt.Errorf("serve admin: %w", err) // it failed before ctx ended
	}
	<-stopped
	return nil
}
