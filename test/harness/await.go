package harness

import (
	"net"
	"testing"
	"time"
)

// Eventually checks every 20 ms whether a condition holds, and fails the test after within. what names the condition.
func Eventually(tb testing.TB, within time.Duration, what string, holds func() bool) {
	tb.Helper()
	end := time.NewTimer(within)
	defer end.Stop()
	check := time.NewTicker(20 * time.Millisecond)
	defer check.Stop()
	for !holds() {
		select {
		case <-check.C:
		case <-end.C:
			tb.Fatalf("not within %v: %s", within, what)
		}
	}
}

func WaitPort(tb testing.TB, addr string) {
	tb.Helper()
	Eventually(tb, 20*time.Second, "listener at "+addr, func() bool {
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}
