// Package simtest serves simulated Telegrams to tests.
package simtest

import (
	"context"
	"net"
	"testing"

	"github.com/chatlane/chatlane/internal/simulator"
)

// Serve serves tg on loopback until the test ends, and returns its address.
func Serve(t *testing.T, tg *simulator.Telegram) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- tg.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return "http://" + l.Addr().String()
}
