package redisstore_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/chatlane/chatlane/internal/fsm/redisstore"
	"github.com/chatlane/chatlane/internal/fsm/redisstore/redistest"
	"github.com/chatlane/chatlane/internal/preflight"
)

// findings is what is found of a client's server, by setting.
func findings(t *testing.T, c redis.UniversalClient, wait int) map[string]preflight.Finding {
	t.Helper()
	found, err := redisstore.New(c, redisstore.Config{WaitReplicas: wait}).Preflight(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]preflight.Finding)
	for _, f := range found {
		if f.Server == "" || f.Set == "" || f.Have == "" || f.Why == "" {
			t.Errorf("does not say what to do: %+v", f)
		}
		all[f.Setting] = f
	}
	return all
}

func TestPreflightNamesWhatBreaksALaw(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		args []string
		wait int
		want map[string]string // setting: "law have"
	}{
		{"good", []string{"--maxmemory-policy", "noeviction"}, 0, map[string]string{}},
		{"a policy that never comes to work", []string{"--maxmemory-policy", "allkeys-lru"}, 0, map[string]string{"maxmemory-policy": "0 allkeys-lru"}},
		{"drops cursors", []string{"--maxmemory", "100mb", "--maxmemory-policy", "volatile-lru"}, 0, map[string]string{"maxmemory-policy": "3 volatile-lru"}},
		{"forgets at a restart", []string{"--appendonly", "no"}, 0, map[string]string{"appendonly": "3 no"}},
		{"flushes each second", []string{"--appendfsync", "everysec"}, 0, map[string]string{"appendfsync": "0 everysec"}},
		{"flushes when it likes", []string{"--appendfsync", "no"}, 0, map[string]string{"appendfsync": "3 no"}},
		{"waits for replicas that are not there", nil, 1, map[string]string{"CHATLANE_REDIS_WAIT_REPLICAS": "3 1"}},
		{"a replica", []string{"--replicaof", "127.0.0.1 1"}, 0, map[string]string{"role": "3 slave"}},
		{"one of a cluster", []string{"--cluster-enabled", "yes", "--cluster-port", "0"}, 0, map[string]string{"CHATLANE_REDIS_URL": "3 redis://"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := make(map[string]string)
			for setting, f := range findings(t, dial(t, redistest.Start(t, tt.args...).URL), tt.wait) {
				got[setting] = string(rune('0'+f.Law)) + " " + f.Have
			}
			if !maps.Equal(got, tt.want) {
				t.Errorf("found %v, want %v", got, tt.want)
			}
		})
	}
}

// Under everysec a step that was committed is lost when Redis and the workers die at
// once: the operator reads how often that was seen, and what helps.
func TestPreflightSaysWhatEverysecLoses(t *testing.T) {
	f := findings(t, dial(t, redistest.Start(t, "--appendfsync", "everysec").URL), 0)["appendfsync"]
	if !strings.Contains(f.Why, "1 of 200 chats in 1 of 2 trials") || !strings.Contains(f.Set, "always") || !strings.Contains(f.Set, "CHATLANE_REDIS_WAIT_REPLICAS") {
		t.Errorf("found %+v", f)
	}
}

func TestPreflightAdvisesToWaitForTheReplicaThatIsThere(t *testing.T) {
	master := redistest.Start(t, "--repl-diskless-sync-delay", "0")
	host, port, _ := strings.Cut(master.Addr, ":")
	redistest.Start(t, "--replicaof", host+" "+port)
	c := dial(t, master.URL)
	for !strings.Contains(c.Info(t.Context(), "replication").Val(), "connected_slaves:1") {
		if t.Context().Err() != nil {
			t.Fatal("the replica does not come")
		}
	}
	if f := findings(t, c, 0)["CHATLANE_REDIS_WAIT_REPLICAS"]; f.Law != 0 || f.Set != "1" {
		t.Errorf("found %+v", f)
	}
	if f, found := findings(t, c, 1)["CHATLANE_REDIS_WAIT_REPLICAS"]; found {
		t.Errorf("found %+v although commits wait for it", f)
	}
}

func TestPreflightSaysWhatItMayNotLookAt(t *testing.T) {
	for name, args := range map[string][]string{
		"good": nil, "bad": {"--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lfu"},
	} {
		found := findings(t, dial(t, redistest.Start(t, append(args, "--rename-command", "CONFIG", "")...).URL), 0)
		if f := found["appendfsync"]; f.Have != "unknown" || f.Law != 0 {
			t.Errorf("%s: flushing: %+v", name, f)
		}
		if f := found["maxmemory-policy"]; (f.Law == 3) != (name == "bad") {
			t.Errorf("%s: INFO knows the policy: %+v", name, f)
		}
	}
}

func TestPreflightLooksAtEachMaster(t *testing.T) {
	servers := redistest.StartCluster(t)
	c := dial(t, "redis+cluster://"+servers[0].Addr)
	if found := findings(t, c, 0); len(found) > 0 {
		t.Errorf("found %v of a good cluster", found)
	}
	if answer, err := redistest.Do(t.Context(), servers[2].Addr, "CONFIG SET appendonly no"); err != nil {
		t.Fatal(answer, err)
	}
	found := findings(t, c, 0)
	if f := found["appendonly"]; f.Law != 3 || f.Server != "redis "+servers[2].Addr {
		t.Errorf("found %v", slices.Collect(maps.Keys(found)))
	}
	single := dial(t, "redis+cluster://"+redistest.Start(t).Addr)
	if f := findings(t, single, 0)["CHATLANE_REDIS_URL"]; f.Law != 3 {
		t.Errorf("a server without a cluster: %+v", f)
	}
}

func TestPreflightFailsWhereRedisIsAway(t *testing.T) {
	server := redistest.Start(t)
	s := redisstore.New(dial(t, server.URL), redisstore.Config{})
	server.Stop()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if found, err := s.Preflight(ctx); err == nil {
		t.Errorf("found %v of a server that is away", found)
	}
}
