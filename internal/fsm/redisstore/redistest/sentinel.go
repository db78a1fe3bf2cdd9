package redistest

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// StartSentinel runs a sentinel of the master "mymaster" that decides alone, after half a second.
// Further lines are of its configuration, such as "sentinel auth-pass mymaster secret".
func StartSentinel(tb testing.TB, master *Server, lines ...string) *Server {
	tb.Helper()
	host, masterPort, _ := net.SplitHostPort(master.Addr)
	s := start(tb, func(port string) []string {
		// A sentinel writes what it learns into its configuration file.
		file := filepath.Join(tb.TempDir(), "sentinel.conf")
		conf := append([]string{
			"bind 127.0.0.1", "port " + port,
			fmt.Sprintf("sentinel monitor mymaster %s %s 1", host, masterPort),
			"sentinel down-after-milliseconds mymaster 500", "sentinel failover-timeout mymaster 2000",
		}, lines...)
		if err := os.WriteFile(file, []byte(strings.Join(conf, "\n")+"\n"), 0o600); err != nil {
			tb.Fatal(err)
		}
		return []string{file, "--sentinel"}
	})
	return s
}

// WaitForReplica waits until a sentinel can fail over.
func WaitForReplica(tb testing.TB, sentinel *Server) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 30*time.Second)
	defer cancel()
	for {
		info, err := Do(ctx, sentinel.Addr, "INFO sentinel")
		if err == nil && strings.Contains(info, "status=ok,") && strings.Contains(info, "slaves=1,") {
			return
		}
		if pause(ctx) != nil {
			tb.Fatalf("the sentinel found no replica: %s %v", info, err)
		}
	}
}
