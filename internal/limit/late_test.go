package limit_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/chatlane/chatlane/internal/broker/natstest"
	"github.com/chatlane/chatlane/internal/limit"
)

// told says how long ago five chats of each of these bots were told to wait for an hour, each by a worker of its own.
type told struct {
	bots []int64
	ago  [5]time.Duration
}

// apart are chats of bots 42 and 44 within a minute, flood those of bot 43 within a second.
var (
	apart = told{[]int64{42, 44}, [5]time.Duration{time.Minute, 45 * time.Second, 30 * time.Second, 15 * time.Second, time.Second}}
	flood = told{[]int64{43}, [5]time.Duration{60500 * time.Millisecond, 60400 * time.Millisecond, 60300 * time.Millisecond, 60200 * time.Millisecond, 60100 * time.Millisecond}}
)

// learnsLate checks what a worker makes of both when it reads them in one go.
func learnsLate(t *testing.T, worker func(limit.Config) limit.Limiter) {
	t.Helper()
	reg := prometheus.NewRegistry()
	l := worker(limit.Config{Registerer: reg})
	shared, ok := l.(interface {
		Held(ctx context.Context, bots []int64) (map[int64]time.Duration, error)
	})
	if !ok {
		t.Fatalf("%T tells of no bots", l)
	}
	if err := l.Block(t.Context(), 44, 5, limit.Message, time.Hour); err != nil { // its own, before it learns
		t.Fatal(err)
	}
	held, err := shared.Held(t.Context(), []int64{42, 43, 44})
	if err != nil || held[42]+held[44] != 0 || held[43] < 50*time.Minute {
		t.Errorf("bots that are held back: %v, %v; want 43 alone", held, err)
	}
	if got := slowed(t, reg); got != 1 {
		t.Errorf("%v bots are slowed, want 43 alone", got)
	}
	if err := l.Wait(t.Context(), 42, 7, limit.Message); err != nil {
		t.Errorf("a chat that nobody was told of: %v", err)
	}
	for chat := range int64(5) {
		if err := l.Wait(t.Context(), 42, 100+chat, limit.Message); err == nil {
			t.Errorf("chat %d is not blocked", 100+chat)
		}
	}
}

// Five chats that were told to wait within a minute are no flood of the bot's, also for a worker that learns of all
// at once; five within a second are one.
func TestALateWorkerTellsChatsFromAFloodRedis(t *testing.T) {
	c := connect(t, startRedis(t))
	now := c.Time(t.Context()).Val()
	for _, part := range []told{flood, apart} {
		for i, ago := range part.ago {
			for _, bot := range part.bots {
				e, err := json.Marshal(map[string]any{"w": fmt.Sprint("w", i), "b": bot, "c": 100 + i, "k": limit.Message, "ms": time.Hour.Milliseconds()})
				if err != nil {
					t.Fatal(err)
				}
				if err := c.XAdd(t.Context(), &redis.XAddArgs{
					Stream: "chatlane:{limit}:blocks", ID: fmt.Sprintf("%d-%d", now.Add(-ago).UnixMilli(), bot), Values: []any{"e", e},
				}).Err(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	learnsLate(t, func(cfg limit.Config) limit.Limiter { return limit.NewRedis(c, cfg) })
}

func TestALateWorkerTellsChatsFromAFloodNATS(t *testing.T) {
	bubble(t, func(t *testing.T, _ broker, _ *natstest.Wire, js jetstream.JetStream) {
		passed := flood.ago[0]
		for _, part := range []told{flood, apart} {
			for i, ago := range part.ago {
				time.Sleep(passed - ago)
				passed = ago
				for _, bot := range part.bots {
					if err := limit.NewNATS(js, limit.Config{}).Block(t.Context(), bot, 100+int64(i), limit.Message, time.Hour); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		time.Sleep(passed)
		learnsLate(t, func(cfg limit.Config) limit.Limiter { return limit.NewNATS(js, cfg) })
	})
}
