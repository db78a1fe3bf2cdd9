// Package harness runs the real programs as processes, for tests that kill them.
package harness

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/chatlane/chatlane/internal/fsm/redisstore/redistest"
	"github.com/chatlane/chatlane/internal/simulator"
	"github.com/chatlane/chatlane/internal/testport"
)

// Secret is the webhook secret.
const Secret = "harness-secret"

// Rig is one deployment on loopback, with any number of ingresses and workers.
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
	workers  *int // started so far
}

// New starts broker, Redis and Telegram. Without redis-server it skips the test, or fails it if
// CHATLANE_REQUIRE_REDIS is set.
func New(tb testing.TB) *Rig {
	tb.Helper()
	r := &Rig{tb: tb, bin: build(tb), workers: new(int), Partitions: 16, Telegram: simulator.New(simulator.Config{}), Redis: redistest.Start(tb)}
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

// botAPI serves the Bot API to one caller at an address of its own.
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

// Built is the same deployment with the programs of another folder.
func (r *Rig) Built(bin string) *Rig {
	other := *r
	other.bin = bin
	return &other
}

// NATSDir is the folder of the broker's store.
func (r *Rig) NATSDir() string { return r.natsArgs[len(r.natsArgs)-1] }

func (r *Rig) NATSURL() string { return r.natsURL }

// StartNATS starts the broker. After a kill it starts on the same store.
func (r *Rig) StartNATS() {
	r.tb.Helper()
	r.NATS = r.start("nats-server", nil, r.natsArgs...)
	WaitPort(r.tb, strings.TrimPrefix(r.natsURL, "nats://"))
}

// Ingress starts an ingress and returns it with the URL of its webhook.
func (r *Rig) Ingress(env ...string) (*Process, string) {
	r.tb.Helper()
	addr, admin := testport.Addr(r.tb), testport.Addr(r.tb)
	p := r.start("ingress", append([]string{"CHATLANE_LISTEN=" + addr, "CHATLANE_ADMIN_LISTEN=" + admin}, env...))
	p.Admin = admin
	p.WaitReady(r.tb)
	id, _, _ := strings.Cut(simulator.Token, ":")
	return p, "http://" + addr + "/webhook/" + id
}

// Worker starts a worker of the bundled bot. The simulated Telegram knows its calls by Process.Caller.
func (r *Rig) Worker(env ...string) *Process {
	r.tb.Helper()
	return r.worker("worker", env)
}

func (r *Rig) worker(program string, env []string) *Process {
	r.tb.Helper()
	*r.workers++
	admin, caller := testport.Addr(r.tb), "worker "+strconv.Itoa(*r.workers)
	p := r.start(program, append([]string{"CHATLANE_ADMIN_LISTEN=" + admin, "CHATLANE_BOT_API_URL=" + r.botAPI(caller)}, env...))
	p.Admin, p.Caller = admin, caller
	p.WaitReady(r.tb)
	return p
}

// Guarded replaces the single broker by one with a configuration, such as accounts, for processes that start from now on.
func (r *Rig) Guarded(config string, env ...string) {
	r.tb.Helper()
	r.NATS.Kill()
	file := filepath.Join(r.tb.TempDir(), "nats.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		r.tb.Fatal(err)
	}
	r.natsArgs = append([]string{"-c", file}, r.natsArgs...)
	r.env = append(r.env, env...)
	r.StartNATS()
}

// MoveNATS restarts the single broker with an empty store in dir.
func (r *Rig) MoveNATS(dir string) {
	r.tb.Helper()
	r.NATS.Kill()
	r.natsArgs = append(r.natsArgs, "-sd", dir)
	r.StartNATS()
}
