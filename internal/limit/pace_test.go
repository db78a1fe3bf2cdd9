package limit_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatlane/chatlane/internal/limit"
)

// load sends for a bot as fast as it may, in each of 200 chats, until ctx ends, and counts.
func load(ctx context.Context, l limit.Limiter, kind string) (sent *atomic.Int64, wait func()) {
	sent = &atomic.Int64{}
	var all sync.WaitGroup
	for chat := range int64(200) {
		all.Go(func() {
			for ctx.Err() == nil {
				var held *limit.LaterError
				switch err := l.Wait(ctx, 42, chat+1, kind); {
				case err == nil:
					sent.Add(1)
					time.Sleep(time.Second)
				case errors.As(err, &held):
					time.Sleep(held.After)
				}
			}
		})
	}
	return sent, all.Wait
}

// in counts what is sent within d.
func in(d time.Duration, sent *atomic.Int64) int64 {
	synctest.Wait()
	before := sent.Load()
	time.Sleep(d)
	synctest.Wait()
	return sent.Load() - before
}

// A flood of the bot's halves what it sends; that grows back slowly, and a further flood halves it again.
func TestPaceIsHalvedAndGrowsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		l := limit.NewLocal(limit.Config{Registerer: reg})
		ctx, cancel := context.WithCancel(t.Context())
		sent, wait := load(ctx, l, limit.Message)
		if n := in(10*time.Second, sent); n < 1900 {
			t.Errorf("%d messages in 10 s before any 429, want all 2000", n)
		}
		flood := func() {
			for chat := range int64(10) { // one flood, which many chats hear of
				_ = l.Block(t.Context(), 42, chat+1, limit.Message, 5*time.Second)
			}
			if n := in(5*time.Second-time.Millisecond, sent); n > 0 {
				t.Errorf("%d messages while the bot is blocked", n)
			}
		}
		near := func(what string, n int64, least, most int64) {
			t.Helper()
			if n < least || n > most {
				t.Errorf("%s: %d messages in 5 s, want %d to %d", what, n, least, most)
			}
		}
		flood()
		near("after a flood at 200 a second", in(5*time.Second, sent), 450, 560)
		if got := slowed(t, reg); got != 1 {
			t.Errorf("%v bots are slowed, want 1", got)
		}
		time.Sleep(30 * time.Second)
		near("half a minute later", in(5*time.Second, sent), 700, 850)
		flood()
		near("after a further flood at some 160", in(5*time.Second, sent), 360, 480)
		time.Sleep(6 * time.Minute)
		near("minutes later", in(5*time.Second, sent), 950, 1000)
		if got := slowed(t, reg); got != 0 {
			t.Errorf("%v bots are slowed, want none", got)
		}
		cancel()
		wait()
	})
}

// slowed reads chatlane_limit_slowed_bots.
func slowed(t *testing.T, reg *prometheus.Registry) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "chatlane_limit_slowed_bots" {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatal("no such metric")
	return 0
}

// A 429 of one chat, and other calls' 429, leave the bot's pace alone.
func TestOnlyTheBotsFloodsSlowIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limit.NewLocal(limit.Config{})
		ctx, cancel := context.WithCancel(t.Context())
		sent, wait := load(ctx, l, limit.Message)
		_ = l.Block(t.Context(), 42, 5, limit.Message, 30*time.Second)
		_ = l.Block(t.Context(), 42, 0, "setmyname", time.Hour)
		for chat := range int64(10) {
			_ = l.Block(t.Context(), 42, chat+1, "edit", time.Minute)
		}
		if n := in(10*time.Second, sent); n < 1900 {
			t.Errorf("%d messages in 10 s, want those of 199 chats", n)
		}
		cancel()
		wait()
	})
}

// Bulk messages stay under Telegram's figures: 30 a second, 1 a second into a chat, 20 a minute into a group.
func TestBulkStaysUnderTheFigures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limit.NewLocal(limit.Config{})
		ctx, cancel := context.WithCancel(t.Context())
		sent, wait := load(ctx, l, limit.Bulk)
		if n := in(10*time.Second, sent); n < 290 || n > 301 {
			t.Errorf("%d bulk messages in 10 s, want 300", n)
		}
		cancel()
		wait()
		time.Sleep(time.Minute)
		for chat, want := range map[int64]time.Duration{5: 4 * time.Second, -5: 12 * time.Second} {
			began := time.Now()
			for range 5 {
				if err := l.Wait(t.Context(), 42, chat, limit.Bulk); err != nil {
					t.Error(err)
				}
			}
			if took := time.Since(began); took != want {
				t.Errorf("5 bulk messages into %d took %v, want %v", chat, took, want)
			}
		}
	})
}

// A reply never waits because of bulk messages, and bulk messages wait while a reply does.
func TestBulkGoesBehindReplies(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  limit.Config
		slow bool
	}{
		{"free", limit.Config{BulkPerSecond: 1000}, false},
		{"under a ceiling", limit.Config{BulkPerSecond: 1000, BotPerSecond: 50}, false},
		{"after a flood", limit.Config{BulkPerSecond: 1000}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := limit.NewLocal(tt.cfg)
				ctx, cancel := context.WithCancel(t.Context())
				bulk, wait := load(ctx, l, limit.Bulk)
				if tt.slow {
					time.Sleep(5 * time.Second)
					_ = l.Block(t.Context(), 42, 0, limit.Message, time.Second)
				}
				time.Sleep(5 * time.Second)
				for range 20 { // now and then a reply
					if got := send(t, l, 1000, 1); got[0] != 0 {
						t.Errorf("a reply waited %v for bulk messages", got[0])
					}
					time.Sleep(500 * time.Millisecond)
				}
				if n := in(5*time.Second, bulk); n < 20 {
					t.Errorf("%d bulk messages beside the replies", n)
				}
				if tt.name != "free" { // replies that take all there is
					replies, end := load(ctx, l, limit.Message)
					time.Sleep(3 * time.Second)
					before := bulk.Load()
					n := in(10*time.Second, replies)
					if b := bulk.Load() - before; b > n/50 {
						t.Errorf("%d bulk messages went beside %d replies that wait", b, n)
					}
					defer end()
				}
				cancel()
				wait()
			})
		})
	}
}

// Nor does a bulk message go while a reply waits for its own chat.
func TestBulkWaitsWhileAReplyDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limit.NewLocal(limit.Config{ChatPerSecond: 1, ChatBurst: 1})
		send(t, l, 5, 1)
		go func() { send(t, l, 5, 1) }()
		synctest.Wait()
		began := time.Now()
		if err := l.Wait(t.Context(), 42, 7, limit.Bulk); err != nil || time.Since(began) < time.Second {
			t.Errorf("went after %v, want 1s: %v", time.Since(began), err)
		}
	})
}
