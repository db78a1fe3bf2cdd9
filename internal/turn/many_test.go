package turn_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/limit"
	"github.com/chatlane/chatlane/internal/turn"
)

// Telegram's figures are for bulk messages: by default no reply waits for them.
func TestManyRepliesAreNotHeldBack(t *testing.T) {
	const updates, chats = 6300, 700
	bubble(t, func(t *testing.T, r *rig) {
		r.limits = limit.NewLocal(limit.Config{})
		b := bot.New("echo")
		var mu sync.Mutex
		var slowest time.Duration
		b.Message(func(ctx context.Context, tt *bot.Turn) error {
			err := tt.Answer(ctx, tt.Text())
			mu.Lock()
			defer mu.Unlock()
			slowest = max(slowest, time.Since(tt.Received()))
			return err
		})
		r.work(b)
		for i := range int64(updates) {
			r.say(-1-i%chats, "x") // into groups, the narrowest figure
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n := len(r.sent()); n != updates {
			t.Errorf("%d of %d updates answered", n, updates)
		}
		if slowest > 7*time.Second {
			t.Errorf("the slowest answer took %v", slowest)
		}
		r.expectTurns("committed", updates)
		r.expectTurns("waited", 0)
		r.empty()
	})
}

// An update that a limit holds back is answered, however late that makes it.
func TestLimitMakesNoUpdateStale(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.cfg = turn.Config{SkipAfter: func(string) time.Duration { return 10 * time.Second }}
		r.limits = limit.NewLocal(limit.Config{GroupPerMinute: 20, GroupBurst: 1, Patience: time.Second})
		b := bot.New("press")
		b.Message(echo)
		r.work(b)
		var want []string
		for i := range 30 {
			r.say(-5, fmt.Sprint(i))
			want = append(want, fmt.Sprint("-5 ", i))
		}
		time.Sleep(5 * time.Minute)
		if got := r.sent(); !slices.Equal(got, want) {
			t.Errorf("answered %q, want all 30", got)
		}
	})
}

// A handler that sends to many keeps to Telegram's figures, and no reply waits for it.
func TestBulkMessagesOfAHandlerGoBehindReplies(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.limits = limit.NewLocal(limit.Config{})
		b := bot.New("announce")
		b.Message(func(ctx context.Context, tt *bot.Turn) error {
			if tt.Text() != "announce" {
				return tt.Answer(ctx, tt.Text())
			}
			for chat := range 300 {
				if _, err := tt.Call(bot.Bulk(ctx), "sendMessage", map[string]any{"chat_id": 1000 + chat, "text": "news"}); err != nil {
					return err
				}
			}
			return nil
		})
		r.work(b)
		r.say(1, "announce")
		time.Sleep(5 * time.Second)
		if n := len(r.sent()); n < 140 || n > 151 {
			t.Errorf("%d bulk messages in 5 s, want 30 a second", n)
		}
		for chat := range int64(100) {
			r.say(2+chat, "x")
		}
		time.Sleep(time.Second)
		replies := 0
		for _, s := range r.sent() {
			if s[len(s)-1] == 'x' {
				replies++
			}
		}
		if replies != 100 {
			t.Errorf("%d replies of 100 within a second of an announcement", replies)
		}
		time.Sleep(5 * time.Second)
		if n := len(r.sent()); n != 400 {
			t.Errorf("%d messages, want 400", n)
		}
	})
}
