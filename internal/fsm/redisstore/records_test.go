package redisstore_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/fsm/redisstore"
	"github.com/chatlane/chatlane/internal/fsm/redisstore/redistest"
)

func keys() fsm.Keys {
	return fsm.Keys{Lane: "42:c:1", Home: "42:c:1", State: "42:c:1:u:7", StateHome: "42:c:1"}
}

// elsewhere is a lane whose state has a lock of its own.
func elsewhere() fsm.Keys {
	return fsm.Keys{Lane: "42:c:2", Home: "42:c:2", State: "42:u:7", StateHome: "42:u:7", Shared: true}
}

func at(seq uint64) fsm.Position {
	return fsm.Position{Stream: 1_700_000_000_123_456_789, Seq: seq, Update: int64(seq), Stored: time.Date(2026, 5, 4, 3, 2, int(seq), 0, time.UTC)}
}

func open(t *testing.T, s fsm.Store, k fsm.Keys, p fsm.Position) *fsm.Session {
	t.Helper()
	session, err := s.Open(t.Context(), k, p)
	if err != nil {
		t.Fatalf("open %s at %d: %v", k.Lane, p.Seq, err)
	}
	return session
}

func commit(t *testing.T, s fsm.Store, k fsm.Keys, seq uint64, state string) {
	t.Helper()
	session := open(t, s, k, at(seq))
	session.SetState(state)
	if err := session.Commit(t.Context()); err != nil {
		t.Fatalf("commit: %v", err)
	}
}

func TestRecordsExpire(t *testing.T) {
	srv := redistest.Start(t)
	c := dial(t, srv.URL)
	life := func(key string) time.Duration {
		d, err := c.PTTL(t.Context(), key).Result()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	near := func(got, want time.Duration) bool { return got <= want && got > want-10*time.Second }
	for _, k := range []fsm.Keys{keys(), elsewhere()} {
		mortal := redisstore.New(c, redisstore.Config{StateTTL: time.Hour})
		commit(t, mortal, k, 1, "a")
		lane, state := redisstore.LaneKey(k), redisstore.StateKey(k)
		if d := life(lane); !near(d, 7*24*time.Hour) {
			t.Errorf("lane lives %v", d)
		}
		if d := life(lane + ":seen"); !near(d, 24*time.Hour) {
			t.Errorf("seen ids live %v", d)
		}
		if d := life(state); !near(d, time.Hour) {
			t.Errorf("state lives %v", d)
		}
		c.PExpire(t.Context(), state, time.Minute)
		session := open(t, mortal, k, at(2))
		if err := session.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := life(state); !near(d, time.Hour) {
			t.Errorf("after a turn that changed nothing, state lives %v", d)
		}
		commit(t, redisstore.New(c, redisstore.Config{}), k, 3, "b")
		if d := life(state); d != -1 {
			t.Errorf("without a TTL, state lives %v", d)
		}
	}
}

func TestTurnOfAnEndedConversationLeavesNoTrace(t *testing.T) {
	srv := redistest.Start(t)
	c := dial(t, srv.URL)
	s := redisstore.New(c, redisstore.Config{})
	for seq, step := range []string{"", "a", "", ""} {
		commit(t, s, elsewhere(), uint64(seq+1), step)
	}
	all, err := c.Keys(t.Context(), "chatlane:{42:u:7}*").Result()
	if err != nil || len(all) > 0 {
		t.Errorf("left behind: %q, %v", all, err)
	}
}

func TestRecordOfANewerSchemaIsLeftAlone(t *testing.T) {
	srv := redistest.Start(t)
	c := dial(t, srv.URL)
	s := redisstore.New(c, redisstore.Config{})
	for _, record := range []func(fsm.Keys) string{redisstore.LaneKey, redisstore.StateKey} {
		commit(t, s, keys(), 1, "a")
		key := record(keys())
		c.HSet(t.Context(), key, "v", "2")
		_, err := s.Open(t.Context(), keys(), at(2))
		if !errors.Is(err, fsm.ErrUnavailable) || !errors.Is(err, fsm.ErrUnreadable) || !strings.Contains(err.Error(), "version") {
			t.Errorf("open a record of version 2: %v", err)
		}
		if n := c.Exists(t.Context(), redisstore.LaneKey(keys())+":lock").Val(); n != 0 {
			t.Error("the lock stayed")
		}
		c.Del(t.Context(), key, redisstore.LaneKey(keys()))
	}
}

// A key that something else wrote makes its own lane wait, as a record of a newer version does; it is no outage of Redis.
func TestKeyOfAnotherTypeConcernsItsLaneAlone(t *testing.T) {
	c := dial(t, redistest.Start(t).URL)
	s := redisstore.New(c, redisstore.Config{})
	commit(t, s, keys(), 1, "a")
	all, err := c.Keys(t.Context(), "*").Result()
	if err != nil || len(all) < 3 {
		t.Fatalf("records: %v, %v", all, err)
	}
	for _, key := range all {
		was, err := c.Dump(t.Context(), key).Result()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Set(t.Context(), key, "garbage", 0).Err(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Open(t.Context(), keys(), at(2)); !errors.Is(err, fsm.ErrUnreadable) || !errors.Is(err, fsm.ErrUnavailable) {
			t.Errorf("open with %s overwritten: %v", key, err)
		}
		if err := c.RestoreReplace(t.Context(), key, 0, was).Err(); err != nil {
			t.Fatal(err)
		}
	}
	commit(t, s, keys(), 2, "b")
}

func TestCommitWaitsForReplicas(t *testing.T) {
	master := redistest.Start(t, "--repl-diskless-sync-delay", "0")
	host, port, _ := strings.Cut(master.Addr, ":")
	replica := redistest.Start(t, "--replicaof", host+" "+port)
	c := dial(t, master.URL)
	for {
		role, err := redistest.Do(t.Context(), replica.Addr, "INFO replication")
		if err == nil && strings.Contains(role, "master_link_status:up") {
			break
		}
		if t.Context().Err() != nil {
			t.Fatal("the replica does not follow")
		}
	}
	patient := redisstore.New(c, redisstore.Config{WaitReplicas: 1, WaitTimeout: 2 * time.Second})
	s := redisstore.New(c, redisstore.Config{WaitReplicas: 1, WaitTimeout: 100 * time.Millisecond})
	for _, k := range []fsm.Keys{keys(), elsewhere()} {
		commit(t, patient, k, 1, "a")
		session := open(t, s, k, at(2))
		session.SetState("b")
		replica.Freeze()
		if err := session.Commit(t.Context()); !errors.Is(err, fsm.ErrUnavailable) {
			t.Errorf("commit that no replica has: %v", err)
		}
		// WAIT knows of its own connection's writes alone: a new one has none yet.
		if err := dial(t, master.URL).Do(t.Context(), "CLIENT", "KILL", "TYPE", "normal").Err(); err != nil {
			t.Fatal(err)
		}
		if err := session.Commit(t.Context()); !errors.Is(err, fsm.ErrUnavailable) || !strings.Contains(err.Error(), "replicas") {
			t.Errorf("again, on a new connection: %v", err)
		}
		replica.Thaw()
		began := time.Now()
		for err := session.Commit(t.Context()); err != nil; err = session.Commit(t.Context()) {
			if time.Since(began) > 10*time.Second {
				t.Fatalf("once the replica is back: %v", err)
			}
		}
		if r, err := s.Peek(t.Context(), k); err != nil || r.State != "b" || r.Cursor != 2 || r.Locked {
			t.Errorf("got %+v, %v", r, err)
		}
	}
}

func TestURLNamesNoPassword(t *testing.T) {
	for _, bad := range []string{"http://:geheim@x", "redis://:geheim@x:6379/notadb", "redis+cluster://:geheim@x:6379?nothing=1", "redis://:geheim@%zz"} {
		if _, err := redisstore.Dial(bad); err == nil || strings.Contains(err.Error(), "geheim") {
			t.Errorf("dial %q: %v", bad, err)
		}
	}
	for _, good := range []string{"redis://127.0.0.1:6379/0", "rediss://127.0.0.1:6379/0", "redis+cluster://127.0.0.1:1?addr=127.0.0.1:2", "rediss+cluster://127.0.0.1:1"} {
		c, err := redisstore.Dial(good)
		if err != nil {
			t.Errorf("dial %q: %v", good, err)
			continue
		}
		_ = c.Close()
	}
}

func TestConnectionsSufficeForManyTurnsUnlessTheURLSaysOtherwise(t *testing.T) {
	for url, want := range map[string]int{"redis://127.0.0.1:1/0": 256, "redis://127.0.0.1:1/0?pool_size=7": 7} {
		c, err := redisstore.Dial(url)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.(*redis.Client).Options().PoolSize; got != want {
			t.Errorf("%s: up to %d connections, want %d", url, got, want)
		}
		_ = c.Close()
	}
}
