package limit_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/chatlane/chatlane/internal/limit"
)

// eachLimiter runs a case against each kind of limiter. worker makes the limiter of one
// more worker on the same server; the workers of the local kind are one process.
func eachLimiter(t *testing.T, test func(t *testing.T, worker func(limit.Config) limit.Limiter)) {
	t.Helper()
	running := func(t *testing.T, kind func(limit.Config) limit.Limiter) func(limit.Config) limit.Limiter {
		t.Helper()
		return func(cfg limit.Config) limit.Limiter {
			cfg.Poll = 20 * time.Millisecond
			l := kind(cfg)
			ctx, cancel := context.WithCancel(context.Background())
			var done sync.WaitGroup
			done.Go(func() { l.Run(ctx) })
			t.Cleanup(func() { cancel(); done.Wait() })
			return l
		}
	}
	t.Run("local", func(t *testing.T) {
		var once sync.Once
		var l *limit.Local
		test(t, func(cfg limit.Config) limit.Limiter {
			once.Do(func() { l = limit.NewLocal(cfg) })
			return l
		})
	})
	t.Run("redis", func(t *testing.T) {
		o := startRedis(t)
		test(t, running(t, func(cfg limit.Config) limit.Limiter { return limit.NewRedis(connect(t, o), cfg) }))
	})
	t.Run("nats", func(t *testing.T) {
		s := startNATS(t)
		test(t, running(t, func(cfg limit.Config) limit.Limiter { return limit.NewNATS(s.connect(t), cfg) }))
	})
}

// awaitBlock returns once a worker refuses a call for longer than it would wait, and tells until when.
func awaitBlock(t *testing.T, l limit.Limiter, chat int64, kind string) (until time.Time) {
	t.Helper()
	for began := time.Now(); time.Since(began) < 5*time.Second; <-time.After(time.Millisecond) {
		var held *limit.LaterError
		if err := l.Wait(t.Context(), 42, chat, kind); errors.As(err, &held) {
			return time.Now().Add(held.After)
		}
	}
	t.Errorf("chat %d is not blocked for %s within 5s", chat, kind)
	return until
}

func TestWorkersShareTheLimits(t *testing.T) {
	eachLimiter(t, func(t *testing.T, worker func(limit.Config) limit.Limiter) {
		cfg := limit.Config{BotPerSecond: 40, BotBurst: 4, ChatPerSecond: 20, ChatBurst: 2}
		workers := []limit.Limiter{worker(cfg), worker(cfg)}
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
					if err := workers[i%2].Wait(t.Context(), 42, 1+int64(i)%tt.chats, limit.Message); err != nil {
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
	})
}

func TestWorkersShareTheGroupsLimit(t *testing.T) {
	eachLimiter(t, func(t *testing.T, worker func(limit.Config) limit.Limiter) {
		cfg := limit.Config{GroupPerMinute: 600, GroupBurst: 1}
		a, b := worker(cfg), worker(cfg)
		began := time.Now()
		for _, l := range []limit.Limiter{a, b, a} {
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
	})
}

func TestWorkersShareBlocks(t *testing.T) {
	eachLimiter(t, func(t *testing.T, worker func(limit.Config) limit.Limiter) {
		cfg := limit.Config{BotWide: 3}
		a, b := worker(cfg), worker(cfg)
		block := func(chat int64, kind string, d time.Duration) (until time.Time) {
			if err := a.Block(t.Context(), 42, chat, kind, d); err != nil {
				t.Fatal(err)
			}
			return time.Now().Add(d)
		}
		learns := func(what string, chat int64, kind string, at time.Time) {
			t.Helper()
			got := awaitBlock(t, b, chat, kind)
			if off := got.Sub(at); off < -time.Second || off > 5*time.Second {
				t.Errorf("%s: blocked for %v longer than told", what, off)
			}
		}
		at := block(5, "edit", time.Minute)
		block(5, "edit", 20*time.Second)
		learns("the chat", 5, "edit", at)
		for _, kind := range []string{limit.Message, "edit"} {
			if err := b.Wait(t.Context(), 42, 6, kind); err != nil {
				t.Errorf("another chat: %v", err)
			}
		}
		if err := b.Wait(t.Context(), 42, 5, limit.Message); err != nil {
			t.Errorf("a message, where edits are blocked: %v", err)
		}
		for chat := range int64(3) {
			at = block(10+chat, "edit", 2*time.Minute)
		}
		learns("a bot that several chats are limited of", 6, "edit", at)
		learns("all of it", 0, "setmyname", block(0, "setmyname", 3*time.Minute))
		learns("messages", 6, limit.Message, block(0, limit.Message, time.Minute))
		heldBots(t, worker(cfg), map[int64]bool{42: true})
		if err := b.Wait(t.Context(), 43, 6, limit.Message); err != nil {
			t.Errorf("another bot: %v", err)
		}
	})
}

// Bulk messages of all workers keep to one rate, and take nothing from replies that have none.
func TestWorkersShareTheBulkRates(t *testing.T) {
	eachLimiter(t, func(t *testing.T, worker func(limit.Config) limit.Limiter) {
		cfg := limit.Config{BulkPerSecond: 40, BulkChatPerSecond: -1, BulkGroupPerMinute: -1}
		workers := []limit.Limiter{worker(cfg), worker(cfg)}
		began := time.Now()
		var all sync.WaitGroup
		for i := range int64(20) {
			all.Go(func() {
				if err := workers[i%2].Wait(t.Context(), 42, 1+i, limit.Bulk); err != nil {
					t.Error(err)
				}
			})
		}
		for i := range int64(200) {
			if err := workers[i%2].Wait(t.Context(), 42, 1+i, limit.Message); err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(began); took > 300*time.Millisecond {
			t.Errorf("200 replies took %v", took)
		}
		all.Wait()
		if took := time.Since(began); took < 450*time.Millisecond {
			t.Errorf("20 bulk messages at 40 a second took %v", took)
		}
	})
}

// A worker that starts later learns what is left of a block.
func TestANewWorkerLearnsBlocks(t *testing.T) {
	eachLimiter(t, func(t *testing.T, worker func(limit.Config) limit.Limiter) {
		a := worker(limit.Config{})
		for chat := range int64(600) { // more than one page, but apart enough not to be the bot's
			if err := a.Block(t.Context(), chat+1, 5, limit.Message, time.Hour); err != nil {
				t.Fatal(err)
			}
		}
		_ = a.Block(t.Context(), 42, 7, limit.Message, time.Hour)
		b := worker(limit.Config{})
		awaitBlock(t, b, 7, limit.Message)
		var held *limit.LaterError
		if err := b.Wait(t.Context(), 42, 7, limit.Message); !errors.As(err, &held) || held.After > time.Hour || held.After < 59*time.Minute {
			t.Errorf("blocked for an hour: %v", err)
		}
	})
}

// By default a reply costs no request, and waits for nothing.
func TestRepliesAskNobody(t *testing.T) {
	dead := map[string]limit.Limiter{
		"redis": limit.NewRedis(connect(t, &redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1}), limit.Config{}),
		"nats":  limit.NewNATS(closedNATS(t), limit.Config{}),
		"local": limit.NewLocal(limit.Config{}),
	}
	for name, l := range dead {
		began := time.Now()
		for chat := range int64(20000) {
			if err := l.Wait(t.Context(), 42, -1-chat%100, limit.Message); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("%s: 20000 replies took %v", name, took)
		}
	}
}

// Another worker's block holds a message that already waits for its place.
func TestABlockOfAnotherWorkerHoldsAMessageThatWaits(t *testing.T) {
	eachLimiter(t, func(t *testing.T, worker func(limit.Config) limit.Limiter) {
		cfg := limit.Config{ChatPerSecond: 5, ChatBurst: 1}
		a, b := worker(cfg), worker(cfg)
		send(t, a, 5, 1)
		began := time.Now()
		done := make(chan error, 1)
		go func() { done <- a.Wait(t.Context(), 42, 5, limit.Message) }()
		if err := b.Block(t.Context(), 42, 5, limit.Message, 800*time.Millisecond); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took < 700*time.Millisecond {
			t.Errorf("went after %v, want 800ms", took)
		}
	})
}

func TestWaitingEndsWithItsContext(t *testing.T) {
	eachLimiter(t, func(t *testing.T, worker func(limit.Config) limit.Limiter) {
		l := worker(limit.Config{ChatPerSecond: 1, ChatBurst: 1})
		send(t, l, 5, 1)
		why := errors.New("turn has ended")
		ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, why)
		defer cancel()
		if err := l.Wait(ctx, 42, 5, limit.Message); !errors.Is(err, why) {
			t.Errorf("error %v", err)
		}
	})
}

// A message that would have to wait for long is refused, and holds up no other.
func TestALongWaitIsRefusedByAllWorkers(t *testing.T) {
	eachLimiter(t, func(t *testing.T, worker func(limit.Config) limit.Limiter) {
		cfg := limit.Config{BotPerSecond: 20, BotBurst: 1, Patience: 500 * time.Millisecond}
		workers := []limit.Limiter{worker(cfg), worker(cfg)}
		var all sync.WaitGroup
		var mu sync.Mutex
		sent, later := 0, 0
		for chat := range int64(60) { // for three seconds' worth there is half a second's patience
			all.Go(func() {
				err := workers[chat%2].Wait(t.Context(), 42, chat+1, limit.Message)
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
		if err := workers[0].Block(t.Context(), 42, 0, limit.Message, time.Hour); err != nil {
			t.Fatal(err)
		}
		awaitBlock(t, workers[1], 7, limit.Message)
		var held *limit.LaterError
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := workers[1].Wait(ctx, 42, 7, limit.Message); !errors.As(err, &held) || held.After < 59*time.Minute {
			t.Errorf("blocked for an hour: %v", err)
		}
	})
}

func TestConfigSaysWhatIsWrong(t *testing.T) {
	if err := documented().Validate(); err != nil {
		t.Error(err)
	}
	for _, cfg := range []limit.Config{{BotPerSecond: -1}, {ChatBurst: -1}, {Timeout: -1}} {
		if cfg.Validate() == nil {
			t.Errorf("%+v is valid", cfg)
		}
	}
}

// heldBots checks which of the bots 42 and 43 a limiter that is shared tells to be held back.
func heldBots(t *testing.T, l limit.Limiter, want map[int64]bool) {
	t.Helper()
	shared, ok := l.(interface {
		Held(ctx context.Context, bots []int64) (map[int64]time.Duration, error)
	})
	if !ok {
		return // of one process alone
	}
	held, err := shared.Held(t.Context(), []int64{42, 43})
	if err != nil || len(held) != len(want) || want[42] != (held[42] > 0 && held[42] <= time.Minute) {
		t.Errorf("bots that are held back: %v, %v; want %v", held, err, want)
	}
}
