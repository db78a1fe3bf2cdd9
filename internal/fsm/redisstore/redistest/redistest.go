// Package redistest runs real Redis servers for tests.
package redistest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/testport"
)

// Server is a redis-server on a free loopback port, with an append-only file that is flushed on each write.
type Server struct {
	Addr string // "127.0.0.1:port"
	URL  string // "redis://127.0.0.1:port/0"

	tb   testing.TB
	args []string
	cmd  *exec.Cmd
}

// Available skips the test without redis-server, or fails it if CHATLANE_REQUIRE_REDIS is set.
func Available(tb testing.TB) string {
	tb.Helper()
	path, err := exec.LookPath("redis-server")
	switch {
	case err == nil:
		return path
	case os.Getenv("CHATLANE_REQUIRE_REDIS") != "":
		tb.Fatal("redis-server is not on PATH")
	default:
		tb.Skip("redis-server is not on PATH")
	}
	return ""
}

// Start runs a server until the test ends. args are redis-server's, such as "--maxmemory", "1mb".
func Start(tb testing.TB, args ...string) *Server {
	tb.Helper()
	return start(tb, func(port string) []string {
		return append([]string{
			"--bind", "127.0.0.1", "--port", port, "--dir", tb.TempDir(),
			"--save", "", "--appendonly", "yes", "--appendfsync", "always", "--daemonize", "no",
		}, args...)
	})
}

func start(tb testing.TB, args func(port string) []string) *Server {
	tb.Helper()
	path := Available(tb)
	s := &Server{tb: tb}
	tb.Cleanup(s.end)
	var err error
	for range 3 { // another process may take the free port first
		port := strconv.Itoa(testport.Free(tb))
		s.Addr = net.JoinHostPort("127.0.0.1", port)
		s.URL = "redis://" + s.Addr + "/0"
		s.args = append([]string{path}, args(port)...)
		if err = s.run(); err == nil {
			return s
		}
		s.end()
	}
	tb.Fatal(err)
	return nil
}

// Stop kills the server, as a crash does. What it acknowledged is in its append-only file.
func (s *Server) Stop() {
	s.tb.Helper()
	if s.cmd == nil {
		s.tb.Fatal("redis-server does not run")
	}
	s.end()
}

// Restart ends the server if it runs, and starts it again on its port and files.
func (s *Server) Restart() {
	s.tb.Helper()
	s.end()
	if err := s.run(); err != nil {
		s.tb.Fatal(err)
	}
}

// Freeze stops the process: connections stay open, nothing answers.
func (s *Server) Freeze() { s.signal(syscall.SIGSTOP) }

func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig os.Signal) {
	s.tb.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.tb.Fatalf("signal redis-server: %v", err)
	}
}

func (s *Server) end() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait() // it says "killed"
	s.cmd = nil
}

func (s *Server) run() error {
	s.tb.Helper()
	cmd := exec.Command(s.args[0], s.args[1:]...) //nolint:gosec,noctx // the server under test; end kills it
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start redis-server: %w", err)
	}
	s.cmd = cmd
	ctx, cancel := context.WithTimeout(s.tb.Context(), 10*time.Second)
	defer cancel()
	for {
		answer, err := Do(ctx, s.Addr, "INFO server")
		if err == nil && strings.Contains(answer, fmt.Sprintf("process_id:%d\r", cmd.Process.Pid)) {
			return nil
		}
		if pause(ctx) != nil {
			s.end() // the buffer is ours once it has ended
			return fmt.Errorf("redis-server at %s did not come up: %w\n%s", s.Addr, err, out.String())
		}
	}
}

func pause(ctx context.Context) error {
	t := time.NewTimer(5 * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return errors.New("timed out")
	}
}

// Do sends one inline command and reads the first 64 KiB of its answer.
func Do(ctx context.Context, addr, command string) (string, error) {
	var d net.Dialer
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return "", err
	}
	defer func() { _ = c.Close() }()
	deadline, _ := ctx.Deadline()
	if err := c.SetDeadline(deadline); err != nil {
		return "", err
	}
	// QUIT closes the connection after the answer, so that reading an array has an end.
	if _, err := fmt.Fprintf(c, "%s\r\nQUIT\r\n", command); err != nil {
		return "", err
	}
	return readAnswer(bufio.NewReader(io.LimitReader(c, 64<<10)))
}

// A sentinel knows no QUIT, so readAnswer reads one answer as it is sent.
func readAnswer(r *bufio.Reader) (string, error) {
	first, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	switch first[0] {
	case '*':
		rest, err := io.ReadAll(r)
		rest = bytes.TrimSuffix(bytes.TrimSpace(rest), []byte("+OK"))
		return strings.TrimSpace(first + string(rest)), err
	case '$':
		n, err := strconv.Atoi(strings.TrimSpace(first[1:]))
		if err != nil || n < 0 {
			return strings.TrimSpace(first), err
		}
		body := make([]byte, n)
		_, err = io.ReadFull(r, body)
		return strings.TrimSpace(first + string(body)), err
	}
	return strings.TrimSpace(first), nil
}
