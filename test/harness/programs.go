package harness

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// build compiles the programs once per test binary, with the nats-server of go.mod.
func build(tb testing.TB) string {
	tb.Helper()
	dir, err := binaries()
	if err != nil {
		tb.Fatal(err)
	}
	return dir
}

var binaries = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "chatlane-bin-")
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-o", dir+"/",
		"github.com/chatlane/chatlane/cmd/ingress", "github.com/chatlane/chatlane/cmd/worker",
		"github.com/chatlane/chatlane/cmd/chatlane", "github.com/nats-io/nats-server/v2")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return dir, nil
})

// Chatlane runs the operator's tool and returns its output.
func (r *Rig) Chatlane(args ...string) string {
	r.tb.Helper()
	out, err := r.TryChatlane(args...)
	if err != nil {
		r.tb.Fatalf("chatlane %v: %v\n%s", args, err, out)
	}
	return out
}

// TryChatlane is Chatlane for a command that may fail.
func (r *Rig) TryChatlane(args ...string) (string, error) {
	cmd := exec.CommandContext(r.tb.Context(), filepath.Join(r.bin, "chatlane"), args...)
	cmd.Env = r.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// BuildAt compiles the programs of an earlier commit, and returns their folder. Where the history
// does not have the commit, as in a shallow clone, it skips the test, or fails it if
// CHATLANE_REQUIRE_HISTORY is set.
func BuildAt(tb testing.TB, commit string) (bin string) {
	tb.Helper()
	root, err := exec.CommandContext(tb.Context(), "git", "rev-parse", "--show-toplevel").Output()
	dir := string(bytes.TrimSpace(root))
	if err == nil {
		err = exec.CommandContext(tb.Context(), "git", "-C", dir, "cat-file", "-e", commit+"^{commit}").Run()
	}
	switch {
	case err != nil && os.Getenv("CHATLANE_REQUIRE_HISTORY") != "":
		tb.Fatalf("the history has no commit %s: fetch it whole (git fetch --unshallow)", commit)
	case err != nil:
		tb.Skipf("the history has no commit %s, as in a shallow clone; git fetch --unshallow brings it", commit)
	}
	src, bin := tb.TempDir(), tb.TempDir()
	for _, step := range []*exec.Cmd{
		exec.CommandContext(tb.Context(), "git", "-C", dir, "archive", "-o", filepath.Join(src, "src.tar"), commit),
		exec.CommandContext(tb.Context(), "tar", "-xf", filepath.Join(src, "src.tar"), "-C", src),
		exec.CommandContext(tb.Context(), "go", "build", "-C", src, "-trimpath", "-o", bin+"/", "./cmd/ingress", "./cmd/worker", "./cmd/chatlane"),
	} {
		if out, err := step.CombinedOutput(); err != nil {
			tb.Fatalf("build %s: %v: %v\n%s", commit, step.Args, err, out)
		}
	}
	return bin
}
