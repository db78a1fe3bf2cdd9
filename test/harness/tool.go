package harness

import (
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Chatlane runs the operator's tool and gives what it prints.
func (r *Rig) Chatlane(args ...string) string {
	r.tb.Helper()
	cmd := exec.CommandContext(r.tb.Context(), filepath.Join(r.bin, "chatlane"), args...)
	cmd.Env = r.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.tb.Fatalf("chatlane %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// Owned lists the partitions that a worker owns, by its own word; none of one that
// does not answer.
func (p *Process) Owned(tb testing.TB) (partitions []int) {
	tb.Helper()
	resp, err := http.Get("http://" + p.Admin + "/metrics")
	if err != nil {
		return nil
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(body)) {
		var i, owned int
		if n, err := fmt.Sscanf(line, "chatlane_partition_owned{partition=\"%d\"} %d", &i, &owned); err == nil && n == 2 && owned == 1 {
			partitions = append(partitions, i)
		}
	}
	return partitions
}
