package downstream

import (
	"bufio"
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/simulator"
	"github.com/chatlane/chatlane/test/harness"
)

// secret is what the bots expect in the webhook's secret header.
const secret = "of-the-bot"

// needNode skips the test where Node or the bots' packages are missing, unless
// CHATLANE_REQUIRE_NODE is set: then that is a failure.
func needNode(t *testing.T) {
	t.Helper()
	missing := ""
	if _, err := exec.LookPath("node"); err != nil {
		missing = "node is not on the PATH"
	} else if _, err := os.Stat("node_modules/.package-lock.json"); err != nil {
		missing = "the bots' packages are not installed: run npm ci in test/downstream"
	}
	switch {
	case missing == "":
	case os.Getenv("CHATLANE_REQUIRE_NODE") != "":
		t.Fatal(missing + ", and CHATLANE_REQUIRE_NODE is set")
	default:
		t.Skip(missing)
	}
}

// existing is a bot as people run it: two processes behind a balancer, with one store of
// sessions.
type existing struct {
	URL   string
	store *store
}

func startExisting(t *testing.T, framework, apiURL string) *existing {
	t.Helper()
	e := &existing{store: newStore()}
	kept := httptest.NewServer(e.store)
	t.Cleanup(kept.Close)
	env := append(os.Environ(), "BOT_TOKEN="+simulator.Token, "BOT_API_URL="+apiURL, "WEBHOOK_SECRET="+secret, "STORE_URL="+kept.URL)
	var targets []*url.URL
	for range 2 {
		targets = append(targets, startNode(t, "bots/"+framework+".js", env))
	}
	var n atomic.Uint64
	balancer := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(targets[n.Add(1)%2]) },
		Transport: &http.Transport{MaxIdleConnsPerHost: 256},
	})
	t.Cleanup(balancer.Close)
	e.URL = balancer.URL
	return e
}

// startNode runs a script until the test ends, and returns the address that it prints.
func startNode(t *testing.T, script string, env []string) *url.URL {
	t.Helper()
	cmd := exec.Command("node", script)
	cmd.Env = env
	harness.DieWithParent(cmd)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var failures strings.Builder
	cmd.Stderr = &failures
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s: %s", script, &failures)
		}
	})
	first := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(out).ReadString('\n')
		first <- strings.TrimSpace(line)
	}()
	select {
	case line := <-first:
		port, ok := strings.CutPrefix(line, "listening ")
		if !ok {
			t.Fatalf("%s does not listen: %q", script, line)
		}
		return &url.URL{Scheme: "http", Host: "127.0.0.1:" + port}
	case <-time.After(time.Minute):
		t.Fatalf("%s does not listen after a minute", script)
	}
	return nil
}

// store keeps values by their path. Each request takes up to 5 ms, as with a store across a
// network.
type store struct {
	mu     sync.Mutex
	random *rand.Rand
	values map[string]string
}

func newStore() *store {
	return &store{random: rand.New(rand.NewPCG(1, 2)), values: map[string]string{}}
}

// ServeHTTP gets, puts and deletes.
func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
	if err != nil {
		return
	}
	s.mu.Lock()
	delay := time.Duration(s.random.IntN(5000)) * time.Microsecond
	s.mu.Unlock()
	pause(r.Context(), delay)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.Method {
	case http.MethodPut:
		s.values[r.URL.Path] = string(body)
	case http.MethodDelete:
		delete(s.values, r.URL.Path)
	default:
		if v, ok := s.values[r.URL.Path]; ok {
			_, _ = io.WriteString(w, v)
			return
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// find returns the value whose path has the suffix.
func (s *store) find(suffix string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for path, v := range s.values {
		if strings.HasSuffix(path, suffix) {
			return v
		}
	}
	return ""
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
