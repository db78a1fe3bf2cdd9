package kvstore_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/fsm/fsmtest"
	"github.com/chatlane/chatlane/internal/fsm/kvstore"
	"github.com/chatlane/chatlane/internal/testport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBucketKeepsThePromises(t *testing.T) {
	fsmtest.Run(t, func(t *testing.T) fsmtest.Harness {
		b := &broker{dir: t.TempDir(), port: testport.Free(t)}
		b.start(t)
		t.Cleanup(b.stop)
		h := harness(t, connect(t, b.addr))
		h.Process = func(t *testing.T, c fsmtest.Config) fsmtest.Process {
			w := fsmtest.NewWire(t, b.addr)
			return fsmtest.Process{Store: openStore(t, connect(t, w.Addr), c), Wire: w}
		}
		h.Restart = func(t *testing.T) {
			b.stop()
			b.start(t)
		}
		return h
	})
}

// broker is a nats-server that can be started again on its port and files.
type broker struct {
	dir  string
	port int
	addr string
	s    *server.Server
}

func (b *broker) start(tb testing.TB) {
	tb.Helper()
	s, err := server.NewServer(&server.Options{
		JetStream: true, StoreDir: b.dir, Host: "127.0.0.1", Port: b.port, NoSigs: true, NoLog: true,
	})
	if err != nil {
		tb.Fatalf("nats-server: %v", err)
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		tb.Fatal("nats-server did not come up")
	}
	b.s, b.addr = s, s.Addr().String()
}

func (b *broker) stop() {
	b.s.Shutdown()
	b.s.WaitForShutdown()
}

func connect(tb testing.TB, addr string) jetstream.JetStream {
	tb.Helper()
	nc, err := nats.Connect("nats://"+addr, nats.MaxReconnects(-1), nats.IgnoreDiscoveredServers(),
		nats.ReconnectWait(5*time.Millisecond), nats.ReconnectJitter(0, 0))
	if err != nil {
		tb.Fatalf("connect: %v", err)
	}
	tb.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		tb.Fatal(err)
	}
	return js
}

func openStore(tb testing.TB, js jetstream.JetStream, c fsmtest.Config) *kvstore.Store {
	tb.Helper()
	s, err := kvstore.Open(tb.Context(), js, kvstore.Config{LockTTL: c.LockTTL, SeenMax: c.SeenMax, SeenWindow: c.SeenWindow})
	if err != nil {
		tb.Fatalf("open store: %v", err)
	}
	return s
}

// harness reaches behind the back of the stores, as any client of the bucket can.
func harness(t *testing.T, js jetstream.JetStream) fsmtest.Harness {
	t.Helper()
	openStore(t, js, fsmtest.Config{}) // makes the bucket
	kv, err := js.KeyValue(t.Context(), "chatlane_state")
	if err != nil {
		t.Fatalf("bind to the bucket: %v", err)
	}
	change := func(t *testing.T, key string, change func(raw []byte) []byte) {
		t.Helper()
		e, err := kv.Get(t.Context(), key)
		if err != nil {
			t.Fatalf("get %s: %v", key, err)
		}
		if _, err := kv.Put(t.Context(), key, change(e.Value())); err != nil {
			t.Fatalf("put %s: %v", key, err)
		}
	}
	return fsmtest.Harness{
		TwoSteps: true,
		Steal: func(t *testing.T, k fsm.Keys) {
			change(t, kvstore.LaneKey(k), func(raw []byte) []byte { return kvstore.WithHolder(raw, "thief") })
		},
		StealState: func(t *testing.T, k fsm.Keys) {
			change(t, kvstore.StateKey(k), func(raw []byte) []byte { return kvstore.WithHolder(raw, "thief") })
		},
		MoveCursor: func(t *testing.T, k fsm.Keys, stream int64, cursor uint64) {
			change(t, kvstore.LaneKey(k), func(raw []byte) []byte { return kvstore.WithCursor(raw, stream, cursor) })
		},
		Keys: func(t *testing.T) int { return countKeys(t, js) },
	}
}

// countKeys asks the stream's leader: a replica may have an old listing.
func countKeys(t *testing.T, js jetstream.JetStream) (n int) {
	t.Helper()
	const keys = "$KV.chatlane_state."
	stream, err := js.Stream(t.Context(), "KV_chatlane_state")
	if err != nil {
		t.Fatal(err)
	}
	info, err := stream.Info(t.Context(), jetstream.WithSubjectFilter(keys+">"))
	if err != nil {
		t.Fatal(err)
	}
	for subject := range info.State.Subjects {
		m, err := stream.GetLastMsgForSubject(t.Context(), subject)
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound): // expired meanwhile
		case err != nil:
			t.Fatalf("get %s: %v", subject, err)
		case m.Header.Get("KV-Operation") == "" && m.Header.Get("Nats-Marker-Reason") == "" && !strings.HasPrefix(subject, keys+"ping"):
			n++
		}
	}
	return n
}
