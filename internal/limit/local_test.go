package limit_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatlane/chatlane/internal/limit"
)

// send sends n messages into a chat, one after the other, and tells when each went.
func send(t *testing.T, l limit.Limiter, chat int64, n int) (after []time.Duration) {
	t.Helper()
	began := time.Now()
	for range n {
		if err := l.Wait(t.Context(), 42, chat, limit.Message); err != nil {
			t.Error(err)
		}
		after = append(after, time.Since(began))
	}
	return after
}

func seconds(s ...float64) (all []time.Duration) {
	for _, x := range s {
		all = append(all, time.Duration(x*float64(time.Second)))
	}
	return all
}

func TestAChatGetsItsRepliesAtOnceAndASeriesIsSlowed(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  limit.Config
		chat int64
		want []time.Duration
	}{
		{"private", documented(), 5, seconds(0, 0, 0, 1, 2, 3)},
		{"private, no burst", limit.Config{ChatPerSecond: 2, ChatBurst: 1}, 5, seconds(0, 0.5, 1, 1.5)},
		{"group", limit.Config{GroupPerMinute: 20, GroupBurst: 2}, -5, seconds(0, 0, 3, 6)},
		{"group, both limits", limit.Config{ChatPerSecond: 1, ChatBurst: 1, GroupPerMinute: 20, GroupBurst: 3}, -5, seconds(0, 1, 2, 3, 6)},
		{"private is no group", limit.Config{GroupPerMinute: 1, GroupBurst: 1}, 5, seconds(0, 0, 0)},
		{"bot alone", limit.Config{BotPerSecond: 2}, 0, seconds(0, 0, 0.5, 1)},
		{"no limits", limit.Config{}, -5, seconds(0, 0, 0, 0, 0, 0)},
	} {
		synctest.Test(t, func(t *testing.T) {
			if got := send(t, limit.NewLocal(tt.cfg), tt.chat, len(tt.want)); !slices.Equal(got, tt.want) {
				t.Errorf("%s: went after %v, want %v", tt.name, got, tt.want)
			}
		})
	}
}

func TestChatsDoNotSlowEachOtherButForTheBotsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limit.NewLocal(documented())
		began := time.Now()
		var all sync.WaitGroup
		for chat := range int64(90) {
			all.Go(func() {
				if err := l.Wait(t.Context(), 42, chat+1, limit.Message); err != nil {
					t.Error(err)
				}
			})
		}
		all.Go(func() {
			if got := send(t, l, 1000, 3); got[2] > 3*time.Second {
				t.Errorf("a chat's burst went after %v", got)
			}
		})
		if err := l.Wait(t.Context(), 43, 5, limit.Message); err != nil || time.Since(began) != 0 {
			t.Errorf("another bot waited: %v", err)
		}
		all.Wait()
		if took := time.Since(began); took < 2*time.Second || took > 2200*time.Millisecond {
			t.Errorf("93 messages at 30 a second took %v", took)
		}
	})
}

// Who waits for its chat must not keep the others from the bot's places.
func TestAChatThatWaitsTakesNothingOfTheBots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limit.NewLocal(limit.Config{BotPerSecond: 10, BotBurst: 1, ChatPerSecond: 1, ChatBurst: 1})
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() { _ = l.Wait(t.Context(), 42, 5, limit.Message) })
		}
		synctest.Wait()
		if got := send(t, l, 6, 1); got[0] > 100*time.Millisecond {
			t.Errorf("another chat waited %v", got[0])
		}
		all.Wait()
	})
}

func TestABlockHoldsTheChatOrTheBotAndIsNeverShortened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limit.NewLocal(limit.Config{BotWide: 3, Patience: time.Minute})
		_ = l.Block(t.Context(), 42, 5, limit.Message, 10*time.Second)
		_ = l.Block(t.Context(), 42, 5, limit.Message, 2*time.Second)
		if got := send(t, l, 6, 1); got[0] != 0 {
			t.Errorf("another chat waited %v", got)
		}
		if got := send(t, l, 5, 2); !slices.Equal(got, seconds(10, 10)) {
			t.Errorf("the chat went after %v, want 10s", got)
		}
		_ = l.Block(t.Context(), 42, 0, limit.Message, 7*time.Second)
		if got := send(t, l, 6, 1); got[0] != 7*time.Second {
			t.Errorf("the bot went after %v, want 7s", got)
		}
		for chat := range int64(3) { // too many at once to be each its own
			_ = l.Block(t.Context(), 42, chat+1, limit.Message, 4*time.Second)
		}
		if got := send(t, l, 9, 1); got[0] != 4*time.Second {
			t.Errorf("the bot went after %v, want 4s", got)
		}
		for chat := range int64(6) {
			_ = l.Block(t.Context(), 42, chat+1, limit.Message, 4*time.Second)
			time.Sleep(600 * time.Millisecond)
		}
		if got := send(t, l, 9, 1); got[0] != 0 {
			t.Errorf("the bot waited %v for chats that were told so apart", got)
		}
	})
}

// A block that comes while somebody waits for a place holds for them, too.
func TestABlockHoldsThoseWhoWaitAlready(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limit.NewLocal(limit.Config{ChatPerSecond: 1, ChatBurst: 1, Patience: time.Minute})
		send(t, l, 5, 1)
		began := time.Now()
		done := make(chan time.Duration, 1)
		go func() {
			_ = l.Wait(t.Context(), 42, 5, limit.Message)
			done <- time.Since(began)
		}()
		synctest.Wait()
		_ = l.Block(t.Context(), 42, 5, limit.Message, 30*time.Second)
		if got := <-done; got != 30*time.Second {
			t.Errorf("went after %v, want 30s", got)
		}
	})
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		why := errors.New("turn has ended")
		l := limit.NewLocal(limit.Config{ChatPerSecond: 1, ChatBurst: 1, Patience: 2 * time.Hour})
		for _, hold := range []func(){
			func() { send(t, l, 5, 1) },
			func() { _ = l.Block(t.Context(), 42, 5, limit.Message, time.Hour) },
		} {
			hold()
			ctx, cancel := context.WithTimeoutCause(t.Context(), 500*time.Millisecond, why)
			if err := l.Wait(ctx, 42, 5, limit.Message); !errors.Is(err, why) {
				t.Errorf("error %v", err)
			}
			cancel()
		}
	})
}

func TestWhatHasPassedIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limit.NewLocal(limit.Config{ChatPerSecond: 1})
		for chat := range int64(20000) {
			send(t, l, chat+1, 1)
			_ = l.Block(t.Context(), 42, chat+1, limit.Message, time.Second)
			time.Sleep(10 * time.Millisecond)
		}
		if n := l.Size(); n > 2048 {
			t.Errorf("%d things kept, of which some 200 matter", n)
		}
	})
}

func BenchmarkLocalWait(b *testing.B) {
	l := limit.NewLocal(limit.Config{BotPerSecond: 1 << 30, ChatPerSecond: 1 << 30, ChatBurst: 1 << 20, BotBurst: 1 << 20})
	b.ReportAllocs()
	for b.Loop() {
		if err := l.Wait(b.Context(), 42, 5, limit.Message); err != nil {
			b.Fatal(err)
		}
	}
}

// Who would have to wait for long is told so at once, and takes no place: those who give
// up leave no gap, and what is sent stays at the rate however many ask.
func TestALongWaitIsRefusedAndReservesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limit.NewLocal(limit.Config{BotPerSecond: 10, BotBurst: 1, Patience: 2 * time.Second})
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		var sent, later atomic.Int64
		var all sync.WaitGroup
		for chat := range int64(500) {
			all.Go(func() {
				for ctx.Err() == nil {
					err := l.Wait(ctx, 42, chat+1, limit.Message)
					var held *limit.LaterError
					switch {
					case err == nil:
						sent.Add(1)
						return
					case !errors.As(err, &held) || held.After < 2*time.Second || held.RetryAfter() != held.After:
						t.Errorf("refused with %v", err)
						return
					}
					later.Add(1)
					time.Sleep(held.After)
				}
			})
		}
		all.Wait()
		if took := time.Since(began); sent.Load() != 500 || took > 60*time.Second || later.Load() == 0 {
			t.Errorf("%d of 500 sent in %v, %d refusals; want all of them at about 10 a second", sent.Load(), took, later.Load())
		}
		_ = l.Block(t.Context(), 42, 0, limit.Message, time.Hour)
		var held *limit.LaterError
		if err := l.Wait(t.Context(), 42, 7, limit.Message); !errors.As(err, &held) || held.After < 59*time.Minute {
			t.Errorf("blocked for an hour: %v", err)
		}
	})
}
