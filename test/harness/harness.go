// Package harness runs the real programs as processes, for tests that kill them.
package harness

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/fsm/redisstore/redistest"
	"github.com/chatlane/chatlane/internal/simulator"
	"github.com/chatlane/chatlane/internal/testport"
)

// Secret is what the simulated Telegram sends, and ingress expects.
const Secret = "harness-secret"

// Rig is one deployment on loopback: broker, Redis, simulated Telegram, and any
// number of ingresses and workers.
type Rig struct {
	tb         testing.TB
	bin        string
	env        []string
	Partitions int

	Telegram *simulator.Telegram
	NATS     *Process
	Redis    *redistest.Server
	natsURL  string
	natsArgs []string
	workers  int // started so far
}

// New starts broker, Redis and Telegram. It skips the test where redis-server is
// missing, unless CHATLANE_REQUIRE_REDIS is set: then that is a failure.
func New(tb testing.TB) *Rig {
	tb.Helper()
	r := &Rig{tb: tb, bin: build(tb), Partitions: 16, Telegram: simulator.New(simulator.Config{}), Redis: redistest.Start(tb)}
	port := testport.Free(tb)
	r.natsURL = fmt.Sprintf("nats://127.0.0.1:%d", port)
	r.natsArgs = []string{"-a", "127.0.0.1", "-p", strconv.Itoa(port), "-js", "-sd", tb.TempDir()}
	r.env = append(os.Environ(),
		"CHATLANE_NATS_URL="+r.natsURL, "CHATLANE_REDIS_URL="+r.Redis.URL, "CHATLANE_BOT_API_URL="+r.botAPI("ingress"),
		"CHATLANE_BOT_TOKEN="+simulator.Token, "CHATLANE_WEBHOOK_SECRET="+Secret,
		"CHATLANE_PARTITIONS="+strconv.Itoa(r.Partitions),
		"CHATLANE_LIMIT_BOT=0", "CHATLANE_LIMIT_CHAT=0", "CHATLANE_LIMIT_GROUP=0")
	r.StartNATS()
	return r
}

// botAPI serves the Bot API to a caller at an address of its own and gives its URL.
func (r *Rig) botAPI(caller string) string {
	r.tb.Helper()
	l, err := (&net.ListenConfig{}).Listen(r.tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		r.tb.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(r.tb.Context()))
	served := make(chan error, 1)
	go func() { served <- r.Telegram.ServeAPI(ctx, l, caller) }()
	r.tb.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			r.tb.Errorf("simulated Telegram: %v", err)
		}
	})
	return "http://" + l.Addr().String()
}

// NATSURL is where the broker listens.
func (r *Rig) NATSURL() string { return r.natsURL }

// StartNATS starts the broker, again on the same store after a kill.
func (r *Rig) StartNATS() {
	r.tb.Helper()
	r.NATS = r.start("nats-server", nil, r.natsArgs...)
	WaitPort(r.tb, strings.TrimPrefix(r.natsURL, "nats://"))
}

// Ingress starts an ingress and gives its webhook's URL.
func (r *Rig) Ingress(env ...string) (*Process, string) {
	r.tb.Helper()
	addr, admin := testport.Addr(r.tb), testport.Addr(r.tb)
	p := r.start("ingress", append([]string{"CHATLANE_LISTEN=" + addr, "CHATLANE_ADMIN_LISTEN=" + admin}, env...))
	p.Admin = admin
	p.WaitReady(r.tb)
	id, _, _ := strings.Cut(simulator.Token, ":")
	return p, "http://" + addr + "/webhook/" + id
}

// Worker starts a worker of the bundled bot. The simulated Telegram knows its calls by
// its name, Process.Caller.
func (r *Rig) Worker(env ...string) *Process {
	r.tb.Helper()
	return r.worker("worker", env)
}

func (r *Rig) worker(program string, env []string) *Process {
	r.tb.Helper()
	r.workers++
	admin, caller := testport.Addr(r.tb), "worker "+strconv.Itoa(r.workers)
	p := r.start(program, append([]string{"CHATLANE_ADMIN_LISTEN=" + admin, "CHATLANE_BOT_API_URL=" + r.botAPI(caller)}, env...))
	p.Admin, p.Caller = admin, caller
	p.WaitReady(r.tb)
	return p
}

// Process is one running program.
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

// Kill ends the process as a crash would, and waits.
func (p *Process) Kill() {
	_ = p.cmd.Process.Signal(syscall.SIGCONT)
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// Stop sends SIGTERM and gives the exit code.
func (p *Process) Stop() int {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	<-p.ended
	return p.cmd.ProcessState.ExitCode()
}

// Freeze stops the process as a paused machine would, and waits until it stands still.
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

// Thaw ends a Freeze.
func (p *Process) Thaw() { _ = p.cmd.Process.Signal(syscall.SIGCONT) }

// WaitReady waits until /readyz says 200.
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

// Ready tells whether /readyz says 200.
func (p *Process) Ready() bool {
	resp, err := http.Get("http://" + p.Admin + "/readyz")
	if err != nil {
		return false
	}
	defer func() { _ = resp.Body.Close() }()
	return resp.StatusCode == http.StatusOK
}

// Logged is how many lines the process has written so far, to both its outputs.
func (p *Process) Logged() int {
	p.log.mu.Lock()
	defer p.log.mu.Unlock()
	return p.log.lines
}

// CPU is the processor time that the process has used so far.
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

// Metric sums the samples of a metric whose line contains all of the parts.
func (p *Process) Metric(tb testing.TB, parts ...string) float64 {
	tb.Helper()
	resp, err := http.Get("http://" + p.Admin + "/metrics")
	if err != nil {
		return 0
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0
	}
	sum := 0.0
lines:
	for line := range strings.Lines(string(body)) {
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

// Eventually looks every 20 ms whether it holds.
func Eventually(tb testing.TB, within time.Duration, what string, holds func() bool) {
	tb.Helper()
	end := time.NewTimer(within)
	defer end.Stop()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for !holds() {
		select {
		case <-look.C:
		case <-end.C:
			tb.Fatalf("not within %v: %s", within, what)
		}
	}
}

// WaitPort waits until something listens.
func WaitPort(tb testing.TB, addr string) {
	tb.Helper()
	Eventually(tb, 20*time.Second, "listener at "+addr, func() bool {
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

// build makes the programs once per test binary. The broker is the server that
// go.mod names.
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

// tail keeps the end of a log.
type tail struct {
	mu    sync.Mutex
	buf   bytes.Buffer
	lines int
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines += bytes.Count(p, []byte("\n"))
	if t.buf.Len() > 1<<20 {
		t.buf.Next(t.buf.Len() / 2)
	}
	return t.buf.Write(p)
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.buf.Bytes()
	return string(b[max(0, len(b)-4000):])
}
