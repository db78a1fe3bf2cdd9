package app

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatlane/chatlane/internal/telemetry"
)

func TestHealthSaysWhyAProgramIsNotReady(t *testing.T) {
	var ready telemetry.Health
	mux := http.NewServeMux()
	mux.Handle("GET /readyz", &ready)
	s := httptest.NewServer(mux)
	defer s.Close()
	h := &Health{AdminListen: strings.TrimPrefix(s.URL, "http://")}
	if err := h.Run(t.Context()); err != nil {
		t.Errorf("a ready program: %v", err)
	}
	ready.SetNotReady("nats", "waiting for NATS")
	if err := h.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "waiting for NATS") {
		t.Errorf("%v, want the reason", err)
	}
	if err := (&Health{URL: s.URL + "/nothing"}).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("%v, want the status", err)
	}
	s.Close()
	if err := h.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "not reached") {
		t.Errorf("%v, want that nothing answers", err)
	}
}

// After a rollout a Service's address may refuse connections for a moment.
func TestHealthAsksAgainUntilItsTimeIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		h := &Health{URL: "http://service.invalid/readyz", Within: 30 * time.Second}
		asked := 0
		old := http.DefaultTransport
		defer func() { http.DefaultTransport = old }()
		http.DefaultTransport = &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			asked++
			return nil, net.ErrClosed
		}}
		err := h.Run(t.Context())
		if took := time.Since(began); err == nil || !strings.Contains(err.Error(), "not reached") || took < 29*time.Second || took > 31*time.Second || asked < 20 {
			t.Errorf("%v after %v and %d questions, want 30 s of them and the last reason", err, took, asked)
		}
	})
}
