package limit_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/chatlane/chatlane/internal/limit"
)

func TestKeysAreTaggedAndPass(t *testing.T) {
	o := startRedis(t)
	c := connect(t, o)
	l := limit.NewRedis(c, documented())
	send(t, l, -5, 2)
	_ = l.Block(t.Context(), 42, -5, limit.Message, time.Minute)
	_ = l.Block(t.Context(), 42, 0, limit.Message, time.Minute)
	keys := c.Keys(t.Context(), "*").Val()
	if len(keys) != 4 {
		t.Errorf("%d keys: %v", len(keys), keys)
	}
	for _, k := range keys {
		if !strings.Contains(k, "chatlane:{limit:42}:") && k != "chatlane:{limit}:blocks" {
			t.Errorf("key %s has another tag", k)
		}
		if ttl := c.PTTL(t.Context(), k).Val(); ttl <= 0 || ttl > 2*time.Minute {
			t.Errorf("key %s lives for %v", k, ttl)
		}
	}
}

// The rights are those that docs/operations.md gives.
func TestAnACLUserWithTheRightsOfTheDocsIsLimited(t *testing.T) {
	o := startRedis(t)
	all := connect(t, o)
	rule := "on >s3cret ~chatlane:* ~rate:chatlane:* resetchannels -@all +@read +@write +@scripting +@connection -@dangerous +wait +time +info +config|get +cluster|slots +cluster|shards +cluster|info"
	args := []any{"ACL", "SETUSER", "chatlane"}
	for word := range strings.FieldsSeq(rule) {
		args = append(args, word)
	}
	if err := all.Do(t.Context(), args...).Err(); err != nil {
		t.Fatal(err)
	}
	l := limit.NewRedis(connect(t, &redis.Options{Addr: o.Addr, Username: "chatlane", Password: "s3cret"}), documented())
	if err := l.Wait(t.Context(), 42, 5, limit.Message); err != nil {
		t.Errorf("wait: %v", err)
	}
	if err := l.Block(t.Context(), 42, 5, limit.Message, time.Minute); err != nil {
		t.Errorf("block: %v", err)
	}
}

// A Redis that is away, or says nothing, must not hold a bot up for long.
func TestABrokenRedisIsAnErrorSoon(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = gone.Close()
	for _, addr := range []string{silent.Addr().String(), gone.Addr().String()} {
		l := limit.NewRedis(connect(t, &redis.Options{Addr: addr, ContextTimeoutEnabled: true}), limit.Config{BotPerSecond: 30, Timeout: 100 * time.Millisecond})
		began := time.Now()
		if err := l.Wait(t.Context(), 42, 5, limit.Message); err == nil {
			t.Error("no error")
		}
		if err := l.Block(t.Context(), 42, 5, limit.Message, time.Second); err == nil {
			t.Error("no error")
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("took %v", took)
		}
	}
}

func BenchmarkRedisWait(b *testing.B) {
	l := limit.NewRedis(connect(b, startRedis(b)), generous())
	b.ReportAllocs()
	for b.Loop() {
		if err := l.Wait(b.Context(), 42, 5, limit.Message); err != nil {
			b.Fatal(err)
		}
	}
}
