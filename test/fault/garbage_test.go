package fault

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/test/harness"
)

// TestRecordsInRedisOverwritten overwrites the records of some chats, each in another way. The other chats, neighbours
// in the same partitions among them, notice nothing. Once the records are removed the chats go on.
func TestRecordsInRedisOverwritten(t *testing.T) {
	r := harness.New(t)
	r.Partitions = 4
	_, hook := r.Ingress("CHATLANE_PARTITIONS=4")
	w := r.Worker("CHATLANE_PARTITIONS=4", "CHATLANE_MIN_BACKOFF=50ms")
	latency(r, 5*time.Millisecond, 20*time.Millisecond)
	deliver(t, r, hook)
	opt, err := redis.ParseURL(r.Redis.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(opt)
	defer func() { _ = c.Close() }()

	spoil := []func(lane, state string) error{
		func(_, state string) error { return c.Set(t.Context(), state, "garbage", 0).Err() },
		func(_, state string) error { return c.HSet(t.Context(), state, "v", "x").Err() },
		func(_, state string) error { return c.HSet(t.Context(), state, "data", "{").Err() },
		func(lane, _ string) error { return c.Set(t.Context(), lane, "garbage", 0).Err() },
		func(lane, _ string) error { return c.HSet(t.Context(), lane, "cursor", "\x00\xff").Err() },
		func(lane, _ string) error { return c.Set(t.Context(), lane+":journal", "garbage", 0).Err() },
		func(lane, _ string) error { return c.Set(t.Context(), lane+":seen", "garbage", 0).Err() },
		func(lane, _ string) error { return c.HSet(t.Context(), lane+":lock", "garbage", "x").Err() },
	}
	spoilt := int64(first - len(spoil))
	f := pour(t, r, 100, time.Second)
	for i := range spoil {
		r.Telegram.Say(spoilt+int64(i), "Ann", "/tally")
	}
	harness.Eventually(t, 30*time.Second, "the chats are answered", func() bool {
		for i := range spoil {
			if len(r.Telegram.Replies(spoilt+int64(i))) == 0 {
				return false
			}
		}
		return true
	})
	wait(t, 500*time.Millisecond) // their commits
	for i, do := range spoil {
		chat := strconv.FormatInt(spoilt+int64(i), 10)
		lane, state := keysOf(t, c, chat)
		if err := do(lane, state); err != nil {
			t.Fatalf("spoil %d: %v", i, err)
		}
		r.Telegram.Say(spoilt+int64(i), "Ann", "text 1")
	}
	wait(t, 4*time.Second)
	f.replied(time.Minute)
	if !w.Ready() {
		t.Error("the worker is not ready")
	}
	for i := range spoil {
		if keys, err := c.Keys(t.Context(), "chatlane:*:"+strconv.FormatInt(spoilt+int64(i), 10)+"}:*").Result(); err != nil || c.Del(t.Context(), keys...).Err() != nil {
			t.Fatalf("remove %v: %v", keys, err)
		}
	}
	conn, err := broker.Connect(t.Context(), broker.Config{URL: r.NATSURL()})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var d broker.Depth
	harness.Eventually(t, time.Minute, "the spoilt chats' updates are finished", func() bool {
		d, err = conn.Depth(t.Context())
		return err == nil && d.Queued+d.Parked == 0
	})
	t.Logf("%+v\n%s", d, r.Chatlane("dead", "list"))
}

// keysOf finds a chat's records.
func keysOf(t *testing.T, c *redis.Client, chat string) (lane, state string) {
	t.Helper()
	keys, err := c.Keys(t.Context(), "chatlane:*:"+chat+"}:*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		switch {
		case strings.HasSuffix(k, ":lock"):
		case strings.HasSuffix(k, ":seen"):
			lane = strings.TrimSuffix(k, ":seen")
		case strings.Contains(k, "}:state:"):
			state = k
		}
	}
	if lane == "" || state == "" {
		t.Fatalf("chat %s has the records %v", chat, keys)
	}
	return lane, state
}
