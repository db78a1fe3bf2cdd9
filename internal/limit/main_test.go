package limit_test

import (
	"testing"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/chatlane/chatlane/internal/fsm/redisstore/redistest"
	"github.com/chatlane/chatlane/internal/limit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// startRedis runs a real server for one test.
func startRedis(tb testing.TB) *redis.Options {
	tb.Helper()
	return &redis.Options{Addr: redistest.Start(tb).Addr}
}

func connect(tb testing.TB, o *redis.Options) *redis.Client {
	tb.Helper()
	c := redis.NewClient(o)
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

// documented is what Telegram documents for bulk messages, as a ceiling.
func documented() limit.Config {
	return limit.Config{BotPerSecond: 30, ChatPerSecond: 1, GroupPerMinute: 20}
}

// generous never makes a message wait.
func generous() limit.Config {
	return limit.Config{BotPerSecond: 1 << 20, BotBurst: 1 << 20, ChatPerSecond: 1 << 20, ChatBurst: 1 << 20}
}
