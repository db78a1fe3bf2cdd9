package redisstore_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/fsm/fsmtest"
	"github.com/chatlane/chatlane/internal/fsm/redisstore"
	"github.com/chatlane/chatlane/internal/fsm/redisstore/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestServerKeepsThePromises(t *testing.T) {
	fsmtest.Run(t, func(t *testing.T) fsmtest.Harness {
		srv := redistest.Start(t)
		h := harness(t, dial(t, srv.URL))
		h.Process = func(t *testing.T, c fsmtest.Config) fsmtest.Process {
			w := fsmtest.NewWire(t, srv.Addr)
			return fsmtest.Process{Store: newStore(dial(t, "redis://"+w.Addr+"/0"), c), Wire: w}
		}
		h.Restart = func(*testing.T) { srv.Restart() }
		return h
	})
}

func TestClusterKeepsThePromises(t *testing.T) {
	if testing.Short() {
		t.Skip("a cluster takes its time")
	}
	servers := redistest.StartCluster(t)
	var addrs []string
	for _, s := range servers {
		addrs = append(addrs, s.Addr)
	}
	url := "redis+cluster://" + addrs[0] + "?addr=" + strings.Join(addrs[1:], "&addr=")
	fsmtest.RunOneByOne(t, func(t *testing.T) fsmtest.Harness {
		c := dial(t, url)
		if err := c.(*redis.ClusterClient).ForEachMaster(t.Context(), func(ctx context.Context, c *redis.Client) error {
			return c.FlushAll(ctx).Err()
		}); err != nil {
			t.Fatalf("empty the cluster: %v", err)
		}
		h := harness(t, c)
		h.Process = func(t *testing.T, c fsmtest.Config) fsmtest.Process {
			w := fsmtest.NewWire(t, addrs...)
			client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs, Dialer: w.Dial, ContextTimeoutEnabled: true})
			t.Cleanup(func() { _ = client.Close() })
			return fsmtest.Process{Store: newStore(client, c), Wire: w}
		}
		h.Restart = func(t *testing.T) {
			for _, s := range servers {
				s.Restart()
			}
			redistest.WaitForCluster(t, servers)
		}
		return h
	})
}

func dial(t *testing.T, url string) redis.UniversalClient {
	t.Helper()
	c, err := redisstore.Dial(url)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func newStore(c redis.UniversalClient, cfg fsmtest.Config) fsmtest.Store {
	return redisstore.New(c, redisstore.Config{LockTTL: cfg.LockTTL, SeenMax: cfg.SeenMax, SeenWindow: cfg.SeenWindow})
}

// harness reaches behind the back of the stores.
func harness(t *testing.T, c redis.UniversalClient) fsmtest.Harness {
	t.Helper()
	do := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("behind the back: %v", err)
		}
	}
	return fsmtest.Harness{
		TwoSteps: true,
		Steal: func(t *testing.T, k fsm.Keys) {
			do(t, c.Set(t.Context(), redisstore.LaneKey(k)+":lock", "thief", 500*time.Millisecond).Err())
		},
		StealState: func(t *testing.T, k fsm.Keys) {
			do(t, c.Set(t.Context(), redisstore.StateKey(k)+":lock", "thief", 500*time.Millisecond).Err())
		},
		MoveCursor: func(t *testing.T, k fsm.Keys, stream int64, cursor uint64) {
			do(t, c.HSet(t.Context(), redisstore.LaneKey(k), "stream", stream, "cursor", cursor).Err())
		},
		Keys: func(t *testing.T) int { return records(t, c) },
	}
}

// records counts the records, but no locks, ids and pings, on every server.
func records(t *testing.T, c redis.UniversalClient) int {
	t.Helper()
	var n atomic.Int64 // the servers are asked at once
	count := func(ctx context.Context, c *redis.Client) error {
		keys, err := c.Keys(ctx, "chatlane:*").Result()
		for _, k := range keys {
			if !strings.HasSuffix(k, ":lock") && !strings.HasSuffix(k, ":seen") && k != "chatlane:ping" {
				n.Add(1)
			}
		}
		return err
	}
	var err error
	switch c := c.(type) {
	case *redis.ClusterClient:
		err = c.ForEachMaster(t.Context(), count)
	case *redis.Client:
		err = count(t.Context(), c)
	default:
		err = errors.New("another client")
	}
	if err != nil {
		t.Fatalf("count records: %v", err)
	}
	return int(n.Load())
}
