// Package testport finds ports for servers that tests start, kill and start again.
package testport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// The ports that are given out lie below those that Linux takes for outgoing
// connections and for listeners on port 0 (net.ipv4.ip_local_port_range, 32768 to 60999
// by default), so that nobody takes the port of a server that is down at the moment.
const (
	low  = 20_000
	high = 30_000
)

// next is where this process looks next; others that run at the same time begin elsewhere.
var next = sync.OnceValue(func() *atomic.Uint32 { //nolint:gochecknoglobals // no two tests of a process may get one port
	n := new(atomic.Uint32)
	n.Store(rand.Uint32N(high - low)) //nolint:gosec // no secret
	return n
})

// Free is a loopback port on which nothing listens. No test of this process gets it
// again. Safe for concurrent use.
func Free(tb testing.TB) int {
	tb.Helper()
	for range high - low {
		port := low + int(next().Add(1)%(high-low))
		l, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			_ = l.Close()
			return port
		}
	}
	tb.Fatalf("no port from %d to %d is free on 127.0.0.1", low, high-1)
	return 0
}

// Addr is Free with its host.
func Addr(tb testing.TB) string {
	tb.Helper()
	return fmt.Sprintf("127.0.0.1:%d", Free(tb))
}
