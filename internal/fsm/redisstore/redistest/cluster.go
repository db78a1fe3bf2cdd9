package redistest

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/testport"
)

// StartCluster runs a Redis Cluster of three servers without replicas until the test ends. It takes about a second.
func StartCluster(tb testing.TB) []*Server {
	tb.Helper()
	const nodes, slots = 3, 16384
	all := make([]*Server, nodes)
	for i := range all {
		// Cluster servers listen on a second port, 10000 above by default.
		all[i] = Start(tb, "--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(testport.Free(tb)), "--cluster-node-timeout", "2000")
	}
	for i, s := range all {
		must(tb, s, fmt.Sprintf("CLUSTER ADDSLOTSRANGE %d %d", i*slots/nodes, (i+1)*slots/nodes-1))
		must(tb, s, fmt.Sprintf("CLUSTER SET-CONFIG-EPOCH %d", i+1))
	}
	for _, s := range all[1:] {
		host, port, _ := net.SplitHostPort(s.Addr)
		bus := s.args[indexOf(s.args, "--cluster-port")+1]
		must(tb, all[0], fmt.Sprintf("CLUSTER MEET %s %s %s", host, port, bus))
	}
	WaitForCluster(tb, all)
	return all
}

func WaitForCluster(tb testing.TB, all []*Server) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 20*time.Second)
	defer cancel()
	for _, s := range all {
		for {
			info, err := Do(ctx, s.Addr, "CLUSTER INFO")
			if err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:"+strconv.Itoa(len(all))) {
				break
			}
			if pause(ctx) != nil {
				tb.Fatalf("the cluster did not come up: %s %v", info, err)
			}
		}
	}
}

func must(tb testing.TB, s *Server, command string) {
	tb.Helper()
	answer, err := Do(tb.Context(), s.Addr, command)
	if err != nil || strings.HasPrefix(answer, "-") {
		tb.Fatalf("%s: %s %v", command, answer, err)
	}
}

func indexOf(args []string, name string) int {
	for i, a := range args {
		if a == name {
			return i
		}
	}
	return -1
}
