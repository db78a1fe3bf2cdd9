// Package natstest runs real NATS servers for tests, inside synctest bubbles too.
package natstest

import (
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/nats-io/nats-server/v2/server/ats"

	"github.com/chatlane/chatlane/internal/broker/embedded"
)

// Start runs an embedded server on its own directory until the test ends.
func Start(tb testing.TB) *embedded.Server {
	tb.Helper()
	s, err := embedded.Start(embedded.Config{Dir: tb.TempDir()})
	if err != nil {
		tb.Fatalf("start nats-server: %v", err)
	}
	tb.Cleanup(s.Stop)
	return s
}

// Bubble runs a test in virtual time against a real server.
func Bubble(t *testing.T, test func(t *testing.T, s *embedded.Server)) {
	t.Helper()
	// Its access-time ticker waits on a package-level channel; inside the bubble it would stop virtual time.
	ats.Register()
	t.Cleanup(ats.Unregister)
	dropPools()
	t.Cleanup(dropPools)
	synctest.Test(t, func(t *testing.T) {
		s, err := embedded.Start(embedded.Config{Dir: t.TempDir()})
		if err != nil {
			t.Fatalf("start nats-server: %v", err)
		}
		defer Stop(s)
		test(t, s)
	})
}

// Stop ends a server in a bubble after its last request: one that waits for a lock during shutdown
// stops virtual time.
func Stop(s *embedded.Server) {
	synctest.Wait()
	s.Stop()
}

// dropPools keeps a client's timers out of the next bubble. Pools survive one collection.
func dropPools() {
	runtime.GC()
	runtime.GC()
}
