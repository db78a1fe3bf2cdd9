package limit_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/chatlane/chatlane/internal/limit"
)

// limiter is what both implementations promise.
type limiter interface {
	Wait(ctx context.Context, bot, chat int64) error
	Block(ctx context.Context, bot, chat int64, d time.Duration) error
}

var (
	_ limiter = (*limit.Local)(nil)
	_ limiter = (*limit.Shared)(nil)
)

func TestWorkersShareTheLimits(t *testing.T) {
	o := startRedis(t)
	cfg := limit.Config{BotPerSecond: 40, BotBurst: 4, ChatPerSecond: 20, ChatBurst: 2}
	workers := []*limit.Shared{limit.New(connect(t, o), cfg), limit.New(connect(t, o), cfg)}
	for _, tt := range []struct {
		name  string
		chats int64 // 1: all into one
		n     int
		least time.Duration
	}{
		{"a chat", 1, 6, 200 * time.Millisecond},   // 2 at once, then 4 at 20 a second
		{"a bot", 100, 12, 200 * time.Millisecond}, // 4 at once, then 8 at 40 a second
	} {
		began := time.Now()
		var all sync.WaitGroup
		for i := range tt.n {
			all.Go(func() {
				if err := workers[i%2].Wait(t.Context(), 42, 1+int64(i)%tt.chats); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if took := time.Since(began); took < tt.least-20*time.Millisecond || took > tt.least+5*time.Second {
			t.Errorf("%s: %d messages took %v, want %v", tt.name, tt.n, took, tt.least)
		}
		<-time.After(300 * time.Millisecond) // the buckets fill again
	}
	if got := send(t, workers[0], 77, 2); got[1] > 2*time.Second {
		t.Errorf("a chat's burst went after %v", got)
	}
}

func TestWorkersShareTheGroupsLimit(t *testing.T) {
	o := startRedis(t)
	cfg := limit.Config{GroupPerMinute: 600, GroupBurst: 1}
	a, b := limit.New(connect(t, o), cfg), limit.New(connect(t, o), cfg)
	began := time.Now()
	for _, l := range []*limit.Shared{a, b, a} {
		send(t, l, -5, 1)
	}
	if took := time.Since(began); took < 180*time.Millisecond {
		t.Errorf("3 messages at 600 a minute took %v", took)
	}
	began = time.Now()
	send(t, a, 5, 3)
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("a private chat waited %v for a group's limit", took)
	}
}

func TestWorkersShareBlocks(t *testing.T) {
	o := startRedis(t)
	cfg := limit.Config{BotWide: 3}
	a, b := limit.New(connect(t, o), cfg), limit.New(connect(t, o), cfg)
	held := func(chat int64) time.Duration { return send(t, b, chat, 1)[0] }
	block := func(chat int64, d time.Duration) {
		if err := a.Block(t.Context(), 42, chat, d); err != nil {
			t.Fatal(err)
		}
	}
	block(5, 400*time.Millisecond)
	block(5, 100*time.Millisecond)
	if d := held(6); d > 300*time.Millisecond {
		t.Errorf("another chat waited %v", d)
	}
	if d := held(5); d < 250*time.Millisecond {
		t.Errorf("the chat waited %v, want what was left of 400ms", d)
	}
	block(0, 300*time.Millisecond)
	if d := held(6); d < 250*time.Millisecond {
		t.Errorf("the bot waited %v, want 300ms", d)
	}
	for chat := range int64(3) {
		block(10+chat, 400*time.Millisecond)
	}
	if d := held(6); d < 250*time.Millisecond {
		t.Errorf("the bot waited %v, want 400ms", d)
	}
}

func TestKeysAreTaggedAndPass(t *testing.T) {
	o := startRedis(t)
	c := connect(t, o)
	l := limit.New(c, limit.Default())
	send(t, l, -5, 2)
	_ = l.Block(t.Context(), 42, -5, time.Minute)
	_ = l.Block(t.Context(), 42, 0, time.Minute)
	keys := c.Keys(t.Context(), "*").Val()
	if len(keys) != 6 {
		t.Errorf("%d keys: %v", len(keys), keys)
	}
	for _, k := range keys {
		if !strings.Contains(k, "chatlane:{limit:42}:") {
			t.Errorf("key %s has another tag", k)
		}
		if ttl := c.PTTL(t.Context(), k).Val(); ttl <= 0 || ttl > 2*time.Minute {
			t.Errorf("key %s lives for %v", k, ttl)
		}
	}
}

func TestWaitingOnRedisEndsWithTheContext(t *testing.T) {
	l := limit.New(connect(t, startRedis(t)), limit.Config{ChatPerSecond: 1, ChatBurst: 1})
	send(t, l, 5, 1)
	why := errors.New("turn has ended")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, why)
	defer cancel()
	if err := l.Wait(ctx, 42, 5); !errors.Is(err, why) {
		t.Errorf("error %v", err)
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
		l := limit.New(connect(t, &redis.Options{Addr: addr, ContextTimeoutEnabled: true}), limit.Config{BotPerSecond: 30, Timeout: 100 * time.Millisecond})
		began := time.Now()
		if err := l.Wait(t.Context(), 42, 5); err == nil {
			t.Error("no error")
		}
		if err := l.Block(t.Context(), 42, 5, time.Second); err == nil {
			t.Error("no error")
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("took %v", took)
		}
	}
}

func TestConfigSaysWhatIsWrong(t *testing.T) {
	if err := limit.Default().Validate(); err != nil {
		t.Error(err)
	}
	for _, cfg := range []limit.Config{{BotPerSecond: -1}, {ChatBurst: -1}, {Timeout: -1}} {
		if cfg.Validate() == nil {
			t.Errorf("%+v is valid", cfg)
		}
	}
}

func BenchmarkSharedWait(b *testing.B) {
	l := limit.New(connect(b, startRedis(b)), limit.Config{BotPerSecond: 1 << 20, BotBurst: 1 << 20, ChatPerSecond: 1 << 20, ChatBurst: 1 << 20})
	b.ReportAllocs()
	for b.Loop() {
		if err := l.Wait(b.Context(), 42, 5); err != nil {
			b.Fatal(err)
		}
	}
}

// Who would have to wait for long is told so, and others are not held up by it.
func TestALongWaitIsRefusedByAllWorkers(t *testing.T) {
	o := startRedis(t)
	cfg := limit.Config{BotPerSecond: 20, BotBurst: 1, Patience: 500 * time.Millisecond}
	workers := []*limit.Shared{limit.New(connect(t, o), cfg), limit.New(connect(t, o), cfg)}
	var all sync.WaitGroup
	var mu sync.Mutex
	sent, later := 0, 0
	for chat := range int64(60) { // for three seconds' worth there is half a second's patience
		all.Go(func() {
			err := workers[chat%2].Wait(t.Context(), 42, chat+1)
			var held *limit.LaterError
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				sent++
			case errors.As(err, &held) && held.After > 0:
				later++
			default:
				t.Errorf("refused with %v", err)
			}
		})
	}
	all.Wait()
	if sent == 0 || later == 0 || sent+later != 60 {
		t.Errorf("%d sent, %d told to come later", sent, later)
	}
	if err := workers[0].Block(t.Context(), 42, 0, time.Hour); err != nil {
		t.Fatal(err)
	}
	var held *limit.LaterError
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := workers[1].Wait(ctx, 42, 7); !errors.As(err, &held) || held.After < 59*time.Minute {
		t.Errorf("blocked for an hour: %v", err)
	}
}
