package testport_test

import (
	"fmt"
	"net"
	"testing"

	"github.com/chatlane/chatlane/internal/testport"
)

func TestPortsAreFreeAndDistinct(t *testing.T) {
	seen := make(map[int]bool)
	for range 100 {
		port := testport.Free(t)
		if seen[port] || port >= 32_768 {
			t.Fatalf("port %d: given out before, or one of those for outgoing connections", port)
		}
		seen[port] = true
	}
}

// Two test processes must not share ports, not even while the server of one is down.
func TestProcessesHaveBlocksOfTheirOwn(t *testing.T) {
	const blocks, inABlock = 4, 99
	seen := make(map[int]bool)
	for range blocks * inABlock {
		seen[testport.Free(t)/100] = true
	}
	for b := range seen {
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", b*100)); err == nil {
			_ = l.Close()
			t.Errorf("ports from %d on are given out, and another process could claim them", b*100)
		}
	}
	if len(seen) < blocks {
		t.Errorf("%d ports come from %d blocks", blocks*inABlock, len(seen))
	}
}

func TestTakenPortIsPassedOver(t *testing.T) {
	taken := make(map[int]bool)
	for range 20 {
		port := testport.Free(t) + 1
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			defer func() { _ = l.Close() }()
			taken[port] = true
		}
		if got := testport.Free(t); taken[got] {
			t.Errorf("port %d is given out while somebody listens there", got)
		}
	}
	if len(taken) == 0 {
		t.Error("no port could be taken")
	}
}
