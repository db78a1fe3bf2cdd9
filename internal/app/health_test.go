package app

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

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
