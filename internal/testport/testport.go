// Package testport finds ports for servers that tests start, kill and start again.
package testport

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// The ports lie below net.ipv4.ip_local_port_range (32768 to 60999 by default), so that no connection takes
// the port of a server that is down.
const (
	low   = 20_000
	high  = 30_000
	block = 100 // ports that one process of tests has for itself
)

// ports hands out the ports of blocks that this process has claimed by listening on the first port of each.
type ports struct {
	mu     sync.Mutex
	next   int
	end    int // behind the block
	claims []net.Listener
}

var mine ports //nolint:gochecknoglobals // no two tests of a process may get one port

// Free returns a loopback port on which nothing listens. No other test of this or another process gets it,
// even while its server is down. Safe for concurrent use.
func Free(tb testing.TB) int {
	tb.Helper()
	mine.mu.Lock()
	defer mine.mu.Unlock()
	for range high - low {
		port, err := mine.take()
		if err != nil {
			tb.Fatal(err)
		}
		if l, err := listen(port); err == nil {
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

func (p *ports) take() (int, error) {
	if p.next == p.end {
		if err := p.claimBlock(); err != nil {
			return 0, err
		}
	}
	p.next++
	return p.next - 1, nil
}

func (p *ports) claimBlock() error {
	const blocks = (high - low) / block
	start := rand.IntN(blocks) //nolint:gosec // no secret
	for i := range blocks {
		first := low + (start+i)%blocks*block
		l, err := listen(first)
		if err != nil {
			continue
		}
		p.claims = append(p.claims, l)
		p.next, p.end = first+1, first+block
		return nil
	}
	return errors.New("other processes have all blocks of ports")
}

func listen(port int) (net.Listener, error) {
	return net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)) //nolint:noctx // on loopback it does not wait
}
