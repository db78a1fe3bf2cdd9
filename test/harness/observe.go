package harness

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Logged counts the process's log lines.
func (p *Process) Logged() int {
	p.log.mu.Lock()
	defer p.log.mu.Unlock()
	return p.log.lines
}

// CPU is the processor time that the process has used.
func (p *Process) CPU(tb testing.TB) time.Duration {
	tb.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	_, after, _ := strings.Cut(string(stat), ") ")
	f := strings.Fields(after)
	if err != nil || len(f) < 13 {
		tb.Fatalf("processor time of %d: %v", p.cmd.Process.Pid, err)
	}
	user, uerr := strconv.Atoi(f[11])
	system, serr := strconv.Atoi(f[12])
	if uerr != nil || serr != nil {
		tb.Fatalf("processor time of %d: %q", p.cmd.Process.Pid, stat)
	}
	return time.Duration(user+system) * (time.Second / 100) // the kernel's unit on Linux
}

// Metric sums the samples of a metric whose line contains all parts; 0 if the process does not answer.
func (p *Process) Metric(tb testing.TB, parts ...string) float64 {
	tb.Helper()
	sum := 0.0
lines:
	for line := range strings.Lines(p.metrics()) {
		for _, part := range parts {
			if !strings.Contains(line, part) {
				continue lines
			}
		}
		f := strings.Fields(line)
		if v, err := strconv.ParseFloat(f[len(f)-1], 64); err == nil {
			sum += v
		}
	}
	return sum
}

// Owned lists the partitions that a worker reports as its own; none if it does not answer.
func (p *Process) Owned(tb testing.TB) (partitions []int) {
	tb.Helper()
	for line := range strings.Lines(p.metrics()) {
		var i, owned int
		if n, err := fmt.Sscanf(line, "chatlane_partition_owned{partition=\"%d\"} %d", &i, &owned); err == nil && n == 2 && owned == 1 {
			partitions = append(partitions, i)
		}
	}
	return partitions
}

func (p *Process) metrics() string { return p.Get("/metrics") }

// Get is the answer of the process's admin server; empty if it does not answer.
func (p *Process) Get(path string) string {
	resp, err := http.Get("http://" + p.Admin + path)
	if err != nil {
		return ""
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return ""
	}
	return string(body)
}
