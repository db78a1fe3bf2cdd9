package limit_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/limit"
)

// eachLimiter runs a case against each kind of limiter. worker makes the limiter of one
// more worker on the same server; the workers of the local kind are one process.
func eachLimiter(t *testing.T, test func(t *testing.T, worker func(limit.Config) limit.Limiter)) {
	t.Helper()
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
		test(t, func(cfg limit.Config) limit.Limiter { return limit.NewRedis(connect(t, o), cfg) })
	})
	t.Run("nats", func(t *testing.T) {
		s := startNATS(t)
		test(t, func(cfg limit.Config) limit.Limiter {
			return limit.NewNATS(s.connect(t), cfg, discard())
		})
	})
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
		heldBots(t, b, map[int64]bool{})
		block(0, 300*time.Millisecond)
		heldBots(t, b, map[int64]bool{42: true})
		if d := held(6); d < 250*time.Millisecond {
			t.Errorf("the bot waited %v, want 300ms", d)
		}
		for chat := range int64(3) {
			block(10+chat, 400*time.Millisecond)
		}
		if d := held(6); d < 250*time.Millisecond {
			t.Errorf("the bot waited %v, want 400ms", d)
		}
	})
}

// Another worker's block holds a message that already waits for its place.
func TestABlockOfAnotherWorkerHoldsAMessageThatWaits(t *testing.T) {
	eachLimiter(t, func(t *testing.T, worker func(limit.Config) limit.Limiter) {
		cfg := limit.Config{ChatPerSecond: 5, ChatBurst: 1}
		a, b := worker(cfg), worker(cfg)
		send(t, a, 5, 1)
		began := time.Now()
		done := make(chan error, 1)
		go func() { done <- a.Wait(t.Context(), 42, 5) }()
		if err := b.Block(t.Context(), 42, 5, 800*time.Millisecond); err != nil {
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
		if err := l.Wait(ctx, 42, 5); !errors.Is(err, why) {
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
	})
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
	if err != nil || len(held) != len(want) || want[42] != (held[42] > 0 && held[42] < time.Second) {
		t.Errorf("bots that are held back: %v, %v; want %v", held, err, want)
	}
}
