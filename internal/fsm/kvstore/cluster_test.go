package kvstore_test

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/chatlane/chatlane/internal/fsm/fsmtest"
	"github.com/chatlane/chatlane/internal/fsm/kvstore"
	"github.com/chatlane/chatlane/internal/testport"
)

func TestReplicatedBucketKeepsThePromises(t *testing.T) {
	if testing.Short() {
		t.Skip("a cluster takes its time")
	}
	addr := startCluster(t)
	js := connect(t, addr)
	fsmtest.RunOneByOne(t, func(t *testing.T) fsmtest.Harness {
		if err := js.DeleteKeyValue(t.Context(), "chatlane_state"); err != nil && !errors.Is(err, jetstream.ErrBucketNotFound) {
			t.Fatalf("empty the bucket: %v", err)
		}
		replicated(t, js, fsmtest.Config{})
		h := harness(t, js)
		h.Process = func(t *testing.T, c fsmtest.Config) fsmtest.Process {
			w := fsmtest.NewWire(t, addr)
			return fsmtest.Process{Store: replicated(t, connect(t, w.Addr), c), Wire: w}
		}
		return h
	})
}

func replicated(t *testing.T, js jetstream.JetStream, c fsmtest.Config) *kvstore.Store {
	t.Helper()
	return store(t, js, kvstore.Config{Replicas: 3, LockTTL: c.LockTTL, SeenMax: c.SeenMax, SeenWindow: c.SeenWindow})
}

func TestReadsOfAReplicatedBucketAreTheLeaders(t *testing.T) {
	if testing.Short() {
		t.Skip("a cluster takes its time")
	}
	js := connect(t, startCluster(t))
	direct := func() bool {
		s, err := js.Stream(t.Context(), "KV_chatlane_state")
		if err != nil {
			t.Fatal(err)
		}
		return s.CachedInfo().Config.AllowDirect
	}
	store(t, js, kvstore.Config{})
	if !direct() {
		t.Error("one replica: reads go the long way")
	}
	s, err := js.Stream(t.Context(), "KV_chatlane_state")
	if err != nil {
		t.Fatal(err)
	}
	cfg := s.CachedInfo().Config
	cfg.Replicas = 3
	if _, err := js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatalf("scale up: %v", err)
	}
	store(t, js, kvstore.Config{})
	if direct() {
		t.Error("three replicas: any of them may answer, however old its copy")
	}
}

// startCluster runs three servers and returns the address of one.
func startCluster(t *testing.T) string {
	t.Helper()
	var routes []*url.URL
	ports := make([]int, 3)
	for i := range ports {
		ports[i] = testport.Free(t)
		routes = append(routes, &url.URL{Scheme: "nats", Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[i]))})
	}
	all := make([]*server.Server, len(ports))
	for i, port := range ports {
		s, err := server.NewServer(&server.Options{
			ServerName: fmt.Sprintf("n%d", i), JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
			Host: "127.0.0.1", Port: server.RANDOM_PORT,
			Cluster: server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: port}, Routes: routes,
		})
		if err != nil {
			t.Fatal(err)
		}
		all[i] = s
		s.Start()
		t.Cleanup(func() {
			s.Shutdown()
			s.WaitForShutdown()
		})
	}
	u, err := url.Parse(all[0].ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	awaitLeader(t, connect(t, u.Host))
	return u.Host
}

// awaitLeader waits until streams with three replicas can be made.
func awaitLeader(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	began := time.Now()
	for {
		_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "probe", Replicas: 3})
		if err == nil {
			break
		}
		if time.Since(began) > 30*time.Second {
			t.Fatalf("the cluster did not come up: %v", err)
		}
		pause := time.NewTimer(50 * time.Millisecond)
		<-pause.C
	}
	if err := js.DeleteStream(t.Context(), "probe"); err != nil {
		t.Fatal(err)
	}
}
