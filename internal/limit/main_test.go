package limit_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/chatlane/chatlane/internal/limit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// startRedis runs a real server for one test.
func startRedis(tb testing.TB) *redis.Options {
	tb.Helper()
	bin, err := exec.LookPath("redis-server")
	switch {
	case err == nil:
	case os.Getenv("CHATLANE_REQUIRE_REDIS") != "":
		tb.Fatal("redis-server is not on the PATH, and CHATLANE_REQUIRE_REDIS is set")
	default:
		tb.Skip("redis-server is not on the PATH")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	cmd := exec.Command(bin, "--port", fmt.Sprint(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", tb.TempDir())
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	o := &redis.Options{Addr: fmt.Sprintf("127.0.0.1:%d", port)}
	c := connect(tb, o)
	for range 500 {
		if c.Ping(context.Background()).Err() == nil {
			return o
		}
		<-time.After(10 * time.Millisecond)
	}
	tb.Fatal("redis-server does not answer")
	return nil
}

func connect(tb testing.TB, o *redis.Options) *redis.Client {
	tb.Helper()
	c := redis.NewClient(o)
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// generous never makes a message wait.
func generous() limit.Config {
	return limit.Config{BotPerSecond: 1 << 20, BotBurst: 1 << 20, ChatPerSecond: 1 << 20, ChatBurst: 1 << 20}
}
