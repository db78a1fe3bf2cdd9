package harness

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

const workerPackage = "github.com/chatlane/chatlane/cmd/worker"

// SkewedWorker starts a worker whose wall clock is off by skew. Its monotonic clock is right.
func (r *Rig) SkewedWorker(skew time.Duration, env ...string) *Process {
	r.tb.Helper()
	name := fmt.Sprintf("worker%+d", int(skew.Seconds()))
	if _, err := os.Stat(filepath.Join(r.bin, name)); err != nil {
		buildSkewed(r.tb, filepath.Join(r.bin, name), skew)
	}
	return r.worker(name, env)
}

// buildSkewed links with a Go runtime whose wall clock is off. Only its assembly differs: nothing else is recompiled.
func buildSkewed(tb testing.TB, program string, skew time.Duration) {
	tb.Helper()
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		tb.Skipf("a worker's clock can be moved on linux/amd64 only, this is %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	dir := tb.TempDir()
	overlay := skewedRuntime(tb, dir, skew)
	moved := goTool(tb, "list", "-export", "-overlay", overlay, "-f", "{{.Export}}", "runtime")
	packages := goTool(tb, "list", "-export", "-deps", "-f", "{{if .Export}}packagefile {{.ImportPath}}={{.Export}}{{end}}", workerPackage)
	var config strings.Builder
	main := ""
	for line := range strings.Lines(packages) {
		name, file, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "packagefile "), "=")
		switch name {
		case "":
			continue
		case "runtime":
			file = moved
		case workerPackage:
			main = file
		}
		fmt.Fprintf(&config, "packagefile %s=%s\n", name, file)
	}
	path := filepath.Join(dir, "importcfg")
	if err := os.WriteFile(path, []byte(config.String()), 0o600); err != nil {
		tb.Fatal(err)
	}
	goTool(tb, "tool", "link", "-importcfg", path, "-buildmode=exe", "-o", program, main)
}

// skewedRuntime writes a copy of the runtime's clock assembly, and the overlay file that puts it in place.
func skewedRuntime(tb testing.TB, dir string, skew time.Duration) (overlay string) {
	tb.Helper()
	original := filepath.Join(goTool(tb, "env", "GOROOT"), "src", "runtime", "time_linux_amd64.s")
	source, err := os.ReadFile(original)
	if err != nil {
		tb.Fatal(err)
	}
	const read = "\tMOVQ\t16(SP), AX\t// realtime sec\n"
	if strings.Count(string(source), read) != 1 {
		tb.Fatalf("%s does not read the clock in the one line %q any more: adapt skewedRuntime", original, read)
	}
	moved := strings.Replace(string(source), read, fmt.Sprintf("%s\tADDQ\t$%d, AX\n", read, int(skew.Seconds())), 1)
	replacement := filepath.Join(dir, "time_linux_amd64.s")
	if err := os.WriteFile(replacement, []byte(moved), 0o600); err != nil {
		tb.Fatal(err)
	}
	body, err := json.Marshal(map[string]map[string]string{"Replace": {original: replacement}})
	if err != nil {
		tb.Fatal(err)
	}
	overlay = filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, body, 0o600); err != nil {
		tb.Fatal(err)
	}
	return overlay
}

func goTool(tb testing.TB, args ...string) string {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), "go", args...)
	var problem strings.Builder
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("go %s: %v\n%s", args[0], err, problem.String())
	}
	return strings.TrimSpace(string(out))
}

// Clock is the wall clock time in the last line of the process's log.
func (p *Process) Clock(tb testing.TB) time.Time {
	tb.Helper()
	lines := strings.Split(strings.TrimSpace(p.log.String()), "\n")
	var line struct{ Time time.Time }
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &line); err != nil {
		tb.Fatalf("read the last line of the log: %v", err)
	}
	return line.Time
}
