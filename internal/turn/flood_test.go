package turn_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/mymmrac/telego"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/turn"
)

// flood has the Bot API answer a method with 429 for d from now on, and counts how often it was asked.
func (r *rig) flood(method string, d time.Duration) (asked func() int) {
	n, until := 0, time.Now().Add(d)
	r.answer = func(m string, _ map[string]any) (int, string) {
		left := time.Until(until)
		if m != method || left <= 0 {
			return 0, ""
		}
		n++
		return 429, fmt.Sprintf(`{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{"retry_after":%d}}`, int(left.Seconds()))
	}
	return func() int { r.mu.Lock(); defer r.mu.Unlock(); return n }
}

func rename(ctx context.Context, t *bot.Turn) error {
	if t.Text() == "rename" {
		if err := t.API().SetMyName(ctx, &telego.SetMyNameParams{Name: "Ann"}); err != nil {
			return err
		}
	}
	return t.Answer(ctx, t.Text())
}

// The handler is told the time of the wait, and its chat is not held up.
func TestLongFloodWaitOfAMethodStopsNoChat(t *testing.T) {
	for _, rescued := range []bool{true, false} {
		t.Run(fmt.Sprintf("rescued %v", rescued), func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				asked := r.flood("setMyName", 80274*time.Second)
				b := bot.New("flood")
				b.Message(rename)
				want, letters := []string{"1 behind it"}, []string{"1 refused 1"}
				if rescued {
					b.OnError(func(ctx context.Context, tt *bot.Turn, err error) error {
						return tt.Answer(ctx, fmt.Sprint("later: ", bot.RetryAfter(err), tt.LastAttempt()))
					})
					want, letters = []string{"1 later: 22h17m54s true", "1 behind it"}, nil
				}
				r.work(b)
				r.say(1, "rename")
				r.say(1, "behind it")
				r.expect(time.Second, want...)
				if got := r.letters(); asked() != 1 || !slices.Equal(got, letters) {
					t.Errorf("%d calls, dead letters %q, want %q", asked(), got, letters)
				}
			})
		})
	}
}

// Up to the bound a wait is silent; beyond it the error handlers see it first.
func TestLaneWaitsOnlyForSendsIntoItsChat(t *testing.T) {
	for _, tt := range []struct {
		name    string
		method  string
		chat    int64 // that the call sends to
		wait    time.Duration
		told    bool
		held    time.Duration // until then the lane waits
		letters []string
	}{
		{"into it", "sendMessage", 1, 100 * time.Second, false, 100 * time.Second, nil},
		{"into it, for long", "sendMessage", 1, 700 * time.Second, true, 700 * time.Second, nil},
		{"into another", "sendMessage", 2, 30 * time.Second, true, 30 * time.Second, nil},
		{"into another, for long", "sendMessage", 2, 700 * time.Second, true, 0, []string{"1 refused 1"}},
		{"into none, soon", "setMyName", 0, 1500 * time.Millisecond, false, time.Second, nil},
		{"into none", "setMyName", 0, 30 * time.Second, true, 30 * time.Second, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.cfg = turn.Config{FloodWait: 5 * time.Minute, MaxAttempts: 3}
				r.flood(tt.method, tt.wait)
				told := false
				b := bot.New("flood")
				b.Message(func(ctx context.Context, tn *bot.Turn) error {
					if tn.Text() != "limited" {
						return nil
					}
					if tt.chat == 0 {
						return tn.API().SetMyName(ctx, &telego.SetMyNameParams{Name: "Ann"})
					}
					_, err := tn.Call(ctx, "sendMessage", map[string]any{"chat_id": tt.chat, "text": "x"})
					return err
				})
				b.OnError(func(_ context.Context, _ *bot.Turn, err error) error {
					told = told || bot.RetryAfter(err) > 0
					return err
				})
				r.work(b)
				r.say(1, "limited")
				r.say(1, "behind it")
				if tt.held > 0 {
					r.expectTurnsAfter(tt.held-time.Second, 0)
					r.expectTurnsAfter(time.Second+tt.held/5+5*time.Second, 2)
				} else {
					r.expectTurnsAfter(time.Second, 1)
				}
				if got := r.letters(); told != tt.told || !slices.Equal(got, tt.letters) {
					t.Errorf("told %v, want %v; dead letters %q, want %q", told, tt.told, got, tt.letters)
				}
				r.empty()
			})
		})
	}
}

func (r *rig) expectTurnsAfter(d time.Duration, want int) {
	r.t.Helper()
	time.Sleep(d)
	r.expectTurns("committed", want)
}

func TestFloodWaitThatAHandlerTurnsIntoItsOwnErrorIsAnError(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.cfg = turn.Config{MaxAttempts: 2}
		r.flood("setMyName", time.Hour)
		b := bot.New("flood")
		b.Message(func(ctx context.Context, tn *bot.Turn) error {
			if rename(ctx, tn) != nil {
				return errors.New("not renamed")
			}
			return nil
		})
		r.work(b)
		r.say(1, "rename")
		time.Sleep(time.Minute)
		if got := r.letters(); !slices.Equal(got, []string{"1 error 2"}) {
			t.Errorf("dead letters %q", got)
		}
	})
}
