package harness

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/testport"
)

// Cluster is three nats-servers that replicate each stream.
type Cluster struct {
	r       *Rig
	members []*member
}

type member struct {
	name, health string
	url          string
	args         []string
	process      *Process
}

// Cluster replaces the single broker, for processes that start from now on. Streams and consumers get three replicas.
func (r *Rig) Cluster() *Cluster {
	r.tb.Helper()
	r.NATS.Kill()
	c := &Cluster{r: r}
	var urls, routes []string
	ports := make([]int, 3)
	for i := range ports {
		ports[i] = testport.Free(r.tb)
		routes = append(routes, "nats://127.0.0.1:"+strconv.Itoa(ports[i]))
	}
	for i, port := range ports {
		client, monitor := testport.Free(r.tb), testport.Free(r.tb)
		urls = append(urls, fmt.Sprintf("nats://127.0.0.1:%d", client))
		m := &member{name: fmt.Sprintf("n%d", i+1), health: fmt.Sprintf("http://127.0.0.1:%d/healthz", monitor), url: urls[i]}
		m.args = []string{
			"-a", "127.0.0.1", "-p", strconv.Itoa(client), "-m", strconv.Itoa(monitor), "-n", m.name, "-js", "-sd", r.tb.TempDir(),
			"--cluster_name", "rig", "--cluster", "nats://127.0.0.1:" + strconv.Itoa(port), "--routes", strings.Join(routes, ","),
		}
		c.members = append(c.members, m)
		m.process = r.start("nats-server", nil, m.args...)
	}
	r.natsURL = strings.Join(urls, ",")
	r.env = append(r.env, "CHATLANE_NATS_URL="+r.natsURL, "CHATLANE_STREAM_REPLICAS=3")
	c.Settle()
	return c
}

// Leader names the server that leads the stream UPDATES.
func (c *Cluster) Leader() (name string) {
	c.r.tb.Helper()
	conn, err := broker.Connect(c.r.tb.Context(), broker.Config{URL: c.r.natsURL})
	if err != nil {
		c.r.tb.Fatal(err)
	}
	defer conn.Close(c.r.tb.Context())
	Eventually(c.r.tb, 30*time.Second, "a leader of "+broker.Names{}.Updates(), func() bool {
		name = leader(c.r.tb.Context(), conn)
		return name != ""
	})
	return name
}

func (c *Cluster) Kill(name string) {
	c.r.tb.Helper()
	c.member(name).process.Kill()
}

// LameDuck asks a server to give its leadership and its clients to the others, before it is replaced.
func (c *Cluster) LameDuck(name string) {
	c.r.tb.Helper()
	_ = c.member(name).process.cmd.Process.Signal(syscall.SIGUSR2)
}

// Freeze stops a server's threads, as if the network had cut it from servers and clients; the result lets it run again.
func (c *Cluster) Freeze(name string) (thaw func()) {
	c.r.tb.Helper()
	p := c.member(name).process
	p.Freeze(c.r.tb)
	return p.Thaw
}

// Names are those of all servers.
func (c *Cluster) Names() (names []string) {
	for _, m := range c.members {
		names = append(names, m.name)
	}
	return names
}

// URL is the address at which clients reach one server.
func (c *Cluster) URL(name string) string {
	c.r.tb.Helper()
	return c.member(name).url
}

func leader(ctx context.Context, conn *broker.Conn) string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	s, err := conn.JetStream().Stream(ctx, broker.Names{}.Updates())
	if err != nil || s.CachedInfo().Cluster == nil {
		return ""
	}
	return s.CachedInfo().Cluster.Leader
}

// Restart starts a killed server on its old store.
func (c *Cluster) Restart(name string) {
	c.r.tb.Helper()
	m := c.member(name)
	m.process = c.r.start("nats-server", nil, m.args...)
}

// Settle waits until every server has all messages of its replicas.
func (c *Cluster) Settle() {
	c.r.tb.Helper()
	for _, m := range c.members {
		var checked time.Time // each check makes a server that is behind log a line
		Eventually(c.r.tb, time.Minute, "nats-server "+m.name+" is current", func() bool {
			if time.Since(checked) < 250*time.Millisecond {
				return false
			}
			checked = time.Now()
			return healthy(m.health)
		})
	}
}

func healthy(url string) bool {
	resp, err := (&http.Client{Timeout: 2 * time.Second}).Get(url)
	if err != nil {
		return false
	}
	defer func() { _ = resp.Body.Close() }()
	return resp.StatusCode == http.StatusOK
}

func (c *Cluster) member(name string) *member {
	c.r.tb.Helper()
	for _, m := range c.members {
		if m.name == name {
			return m
		}
	}
	c.r.tb.Fatalf("no nats-server is named %q", name)
	return nil
}
