package harness

import (
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
