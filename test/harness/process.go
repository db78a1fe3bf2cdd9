package harness

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

type Process struct {
	Admin  string
	Caller string // of the Bot API; empty unless it is a worker
	cmd    *exec.Cmd
	ended  chan struct{}
	log    *tail
}

func (r *Rig) start(name string, env []string, args ...string) *Process {
	r.tb.Helper()
	p := &Process{cmd: exec.Command(filepath.Join(r.bin, name), args...), ended: make(chan struct{}), log: &tail{}}
	p.cmd.Env = append(append([]string(nil), r.env...), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	DieWithParent(p.cmd)
	if err := p.cmd.Start(); err != nil {
		r.tb.Fatalf("start %s: %v", name, err)
	}
	go func() { defer close(p.ended); _ = p.cmd.Wait() }()
	r.tb.Cleanup(func() {
		p.Kill()
		if r.tb.Failed() {
			r.tb.Logf("last of %s (%d):\n%s", name, p.cmd.Process.Pid, p.log)
		}
	})
	return p
}

// Kill ends the process as a crash does, and waits for its end.
func (p *Process) Kill() {
	_ = p.cmd.Process.Signal(syscall.SIGCONT)
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// Stop sends SIGTERM, waits, and returns the exit code.
func (p *Process) Stop() int {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	<-p.ended
	return p.cmd.ProcessState.ExitCode()
}

// Freeze stops all threads, as a paused machine does, and returns once they have stopped.
func (p *Process) Freeze(tb testing.TB) {
	tb.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGSTOP)
	Eventually(tb, 5*time.Second, "all threads stopped", func() bool {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.cmd.Process.Pid))
		for _, name := range threads {
			stat, err := os.ReadFile(name)
			_, state, _ := strings.Cut(string(stat), ") ")
			if err == nil && !strings.HasPrefix(state, "T") {
				return false
			}
		}
		return err == nil && len(threads) > 0
	})
}

func (p *Process) Thaw() { _ = p.cmd.Process.Signal(syscall.SIGCONT) }

func (p *Process) WaitReady(tb testing.TB) {
	tb.Helper()
	Eventually(tb, 20*time.Second, "ready at "+p.Admin, func() bool {
		select {
		case <-p.ended:
			tb.Fatalf("ended before it was ready:\n%s", p.log)
		default:
		}
		return p.Ready()
	})
}

func (p *Process) Ready() bool {
	resp, err := http.Get("http://" + p.Admin + "/readyz")
	if err != nil {
		return false
	}
	defer func() { _ = resp.Body.Close() }()
	return resp.StatusCode == http.StatusOK
}

// Terminate sends SIGTERM and does not wait.
func (p *Process) Terminate() { _ = p.cmd.Process.Signal(syscall.SIGTERM) }

// Exit waits for the process's end and returns its exit code.
func (p *Process) Exit(tb testing.TB, within time.Duration) int {
	tb.Helper()
	end := time.NewTimer(within)
	defer end.Stop()
	select {
	case <-p.ended:
	case <-end.C:
		tb.Fatalf("still runs after %v:\n%s", within, p.log)
	}
	return p.cmd.ProcessState.ExitCode()
}
