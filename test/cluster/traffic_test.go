package cluster

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/chatlane/chatlane/internal/simulator"
	"github.com/chatlane/chatlane/test/simctl"
)

const firstChat = 5_000_000

// traffic is people who count with the bundled bot's /tally: each says a text every now and
// then and does not wait for replies, so that texts of a chat queue up when bots are slow.
type traffic struct {
	t        *testing.T
	telegram *simulator.Telegram
	url      string // of the Bot API, as pods reach it
	chats    int

	quit, done chan struct{}
	mu         sync.Mutex
	said       [][]time.Time // by chat, of /tally and then of each text
}

// telegram starts a simulated Telegram that pods reach. It tells callers apart by their addresses.
func (c *cluster) telegram(t *testing.T) *traffic {
	t.Helper()
	host := c.host(t)
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatalf("CHATLANE_TEST_HOST: %v; set an address of this machine that pods reach", err)
	}
	tr := &traffic{t: t, telegram: simulator.New(simulator.Config{Token: token}), url: "http://" + l.Addr().String()}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var serving sync.WaitGroup
	serving.Go(func() { tr.serve(ctx, l) })
	t.Cleanup(func() { stop(); serving.Wait() })
	return tr
}

// host is this machine's address as pods reach it: unless told, that by which it reaches the API server.
func (c *cluster) host(t *testing.T) string {
	t.Helper()
	if host := os.Getenv("CHATLANE_TEST_HOST"); host != "" {
		return host
	}
	u, err := url.Parse(c.config.Host)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "udp", net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "443")))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	return conn.LocalAddr().(*net.UDPAddr).IP.String()
}

// serve answers each caller through a listener of its own, which has its address as name.
func (tr *traffic) serve(ctx context.Context, l net.Listener) {
	var serving sync.WaitGroup
	defer serving.Wait()
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	callers := map[string]*caller{}
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		name := address(conn.RemoteAddr())
		c := callers[name]
		if c == nil {
			c = &caller{conns: make(chan net.Conn), closed: make(chan struct{}), addr: l.Addr()}
			callers[name] = c
			serving.Go(func() { _ = tr.telegram.ServeAPI(ctx, c, name) })
		}
		select {
		case c.conns <- conn:
		case <-ctx.Done():
			_ = conn.Close()
			return
		}
	}
}

func address(a net.Addr) string { return a.(*net.TCPAddr).IP.String() }

// caller is a listener that is handed its connections.
type caller struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
	addr   net.Addr
}

func (c *caller) Accept() (net.Conn, error) {
	select {
	case conn := <-c.conns:
		return conn, nil
	case <-c.closed:
		return nil, net.ErrClosed
	}
}

func (c *caller) Close() error   { c.once.Do(func() { close(c.closed) }); return nil }
func (c *caller) Addr() net.Addr { return c.addr }

// deliver sends updates to a release's ingress: to the Service's address, or else to its port of a node.
func (tr *traffic) deliver(s *space, release string) {
	tr.t.Helper()
	target := s.webhook(tr.t, release)
	ctx, stop := context.WithCancel(context.WithoutCancel(tr.t.Context()))
	var running sync.WaitGroup
	running.Go(func() {
		tr.telegram.Deliver(ctx, simulator.WebhookConfig{URL: "http://" + target + "/webhook/123456789", Secret: secret})
	})
	tr.t.Cleanup(func() { stop(); running.Wait() })
}

func (s *space) webhook(t *testing.T, release string) string {
	t.Helper()
	svc, err := s.kube.CoreV1().Services(s.name).Get(t.Context(), release+"-chatlane-ingress", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	port := svc.Spec.Ports[0]
	tries := []string{net.JoinHostPort(svc.Spec.ClusterIP, fmt.Sprint(port.Port))}
	nodes, err := s.kube.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes.Items {
		for _, a := range n.Status.Addresses {
			if a.Type == corev1.NodeInternalIP {
				tries = append(tries, net.JoinHostPort(a.Address, fmt.Sprint(port.NodePort)))
			}
		}
	}
	for range 5 { // the address works once the node has learnt of it
		for _, try := range tries {
			conn, err := (&net.Dialer{Timeout: 2 * time.Second}).DialContext(t.Context(), "tcp", try)
			if err == nil {
				_ = conn.Close()
				return try
			}
		}
	}
	t.Fatalf("none of %v is reached from here: run the tests on a machine that reaches Services or nodes", tries)
	return ""
}

// begin lets people talk: each of the chats a text per pace, evenly spread.
func (tr *traffic) begin(chats int, pace time.Duration) {
	tr.chats, tr.said = chats, make([][]time.Time, chats)
	tr.quit, tr.done = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(tr.done)
		every := time.NewTicker(pace / time.Duration(chats))
		defer every.Stop()
		for i := 0; ; i = (i + 1) % chats {
			select {
			case <-tr.quit:
				if i == 0 { // everybody has said as much
					return
				}
			case <-every.C:
			}
			tr.say(i)
		}
	}()
}

func (tr *traffic) say(i int) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	text := "/tally"
	if k := len(tr.said[i]); k > 0 {
		text = fmt.Sprintf("text %d", k)
	}
	tr.said[i] = append(tr.said[i], time.Now())
	tr.telegram.Say(firstChat+int64(i), fmt.Sprintf("Person %d", i), text)
}

// end stops the talk, waits for the last replies, and adds them up.
func (tr *traffic) end(within time.Duration) simctl.Report {
	tr.t.Helper()
	close(tr.quit)
	<-tr.done
	texts := len(tr.said[0]) - 1
	ctx, cancel := context.WithTimeout(tr.t.Context(), within)
	defer cancel()
	if err := tr.telegram.Await(ctx, simctl.TallyDone(firstChat, tr.chats, texts)); err != nil {
		tr.t.Errorf("not every chat got its last reply: %v", err)
	}
	if err := tr.telegram.Idle(ctx); err != nil {
		tr.t.Errorf("not every update was taken: %v", err)
	}
	wait(tr.t.Context(), 2*time.Second) // for replies that come again
	return simctl.CheckTally(tr.telegram, firstChat, tr.chats, texts)
}

// times are how long replies took to what was said from one time to another.
func (tr *traffic) times(from, to time.Time) []time.Duration {
	answered := map[int64]map[string]time.Time{}
	for _, c := range tr.telegram.Calls(simulator.Filter{Method: "sendMessage"}) {
		if answered[c.Chat] == nil {
			answered[c.Chat] = map[string]time.Time{}
		}
		if _, again := answered[c.Chat][c.Text]; !again {
			answered[c.Chat][c.Text] = c.At
		}
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	var out []time.Duration
	for i, said := range tr.said {
		for k, at := range said {
			if k == 0 || at.Before(from) || at.After(to) {
				continue
			}
			if a, ok := answered[firstChat+int64(i)][fmt.Sprintf("%d. text %d", k, k)]; ok {
				out = append(out, a.Sub(at))
			}
		}
	}
	slices.Sort(out)
	return out
}

func p99(sorted []time.Duration) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[len(sorted)*99/100]
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// slow makes every call of the Bot API take a while.
func (tr *traffic) slow(latency time.Duration) {
	tr.telegram.Faults(func(string, int64) simulator.Fault { return simulator.Fault{Latency: latency} })
}

// get asks a Service through the API server.
func (s *space) get(ctx context.Context, service, port, path string) ([]byte, error) {
	return s.kube.CoreV1().Services(s.name).ProxyGet("http", service, port, path, nil).DoRaw(ctx)
}
