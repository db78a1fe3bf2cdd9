package harness

import (
	"bytes"
	"syscall"
	"testing"
	"time"
)

// Terminate sends SIGTERM and does not wait.
func (p *Process) Terminate() { _ = p.cmd.Process.Signal(syscall.SIGTERM) }

// Exit waits for the process's end and gives its exit code.
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

// Said tells whether the kept part of the process's output contains a text.
func (p *Process) Said(text string) bool {
	p.log.mu.Lock()
	defer p.log.mu.Unlock()
	return bytes.Contains(p.log.buf.Bytes(), []byte(text))
}
