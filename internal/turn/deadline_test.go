package turn_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/limit"
	"github.com/chatlane/chatlane/internal/queue/deadletter"
	"github.com/chatlane/chatlane/internal/turn"
)

// letters lists the dead letters as "chat reason attempts".
func (r *rig) letters() (out []string) {
	r.t.Helper()
	for l, err := range deadletter.New(r.conn).All(r.t.Context(), deadletter.Filter{}) {
		if err != nil {
			r.t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%d %s %d", l.Scope.Chat, l.Reason, l.Attempts))
	}
	return out
}

func TestHandlerPastItsDeadlineIsRetriedThenDeadLettered(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.cfg = turn.Config{Deadline: 10 * time.Second, MaxAttempts: 3}
		b := bot.New("slow")
		var causes []error
		b.Message(func(ctx context.Context, _ *bot.Turn) error {
			<-ctx.Done()
			causes = append(causes, context.Cause(ctx))
			return ctx.Err()
		}, bot.Text("hang"))
		b.Message(echo)
		r.work(b)
		r.say(1, "hang")
		r.say(1, "behind it")
		r.say(2, "in another chat")
		r.expect(time.Second, "2 in another chat")
		r.expect(time.Minute, "2 in another chat", "1 behind it")
		if got := r.letters(); !slices.Equal(got, []string{"1 timeout 3"}) {
			t.Errorf("dead letters: %q", got)
		}
		for _, cause := range causes {
			if !errors.Is(cause, turn.ErrDeadline) {
				t.Errorf("a handler's context ended because of %v", cause)
			}
		}
		r.empty()
	})
}

func TestDeadlineRunsFromDispatch(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.cfg = turn.Config{Deadline: 10 * time.Second, MaxAttempts: 1}
		b := bot.New("slow")
		b.Message(func(ctx context.Context, tt *bot.Turn) error {
			select {
			case <-time.After(9 * time.Second):
			case <-ctx.Done():
				return ctx.Err()
			}
			return tt.Answer(ctx, tt.Text())
		})
		r.work(b)
		for _, text := range []string{"a", "b", "c", "d"} {
			r.say(1, text)
		}
		r.expect(time.Minute, "1 a", "1 b", "1 c", "1 d")
		if got := r.letters(); len(got) != 0 {
			t.Errorf("dead letters: %q", got)
		}
	})
}

// It holds its lane until the grace period is over, and no other lane. What it does later has no effect.
func TestHandlerThatIgnoresItsContextIsAbandoned(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.cfg = turn.Config{Deadline: 10 * time.Second, Grace: 5 * time.Second, MaxAttempts: 1}
		release, late := make(chan struct{}), make(chan error, 1)
		b := bot.New("slow")
		b.Message(func(ctx context.Context, tt *bot.Turn) error {
			<-release
			late <- errors.Join(tt.SetState(ctx, "slow:late"), tt.Answer(context.WithoutCancel(ctx), "late"))
			return nil
		}, bot.Text("slow"))
		b.Message(bot.Say("in a state"), bot.InFlow("slow"))
		b.Message(echo)
		r.work(b)
		r.say(1, "slow")
		r.say(1, "behind it")
		r.say(2, "in another chat")
		r.expect(14*time.Second, "2 in another chat")
		r.expect(2*time.Second, "2 in another chat", "1 behind it")
		if n := r.count("chatlane_handlers_abandoned_total", ""); n != 1 {
			t.Errorf("%d handlers abandoned, want 1", n)
		}
		close(release)
		if err := <-late; !errors.Is(err, turn.ErrAbandoned) {
			t.Errorf("the late call: %v, want ErrAbandoned", err)
		}
		synctest.Wait()
		r.say(1, "after")
		r.expect(time.Second, "2 in another chat", "1 behind it", "1 after")
		if got := r.letters(); !slices.Equal(got, []string{"1 timeout 1"}) {
			t.Errorf("dead letters: %q", got)
		}
		r.empty()
	})
}

func TestRateLimitsUseUpNoAttempt(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.cfg = turn.Config{MaxAttempts: 1}
		limits := 20
		r.answer = func(_ string, params map[string]any) (int, string) {
			if params["text"] == "much" && limits > 0 {
				limits--
				return 429, `{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{"retry_after":7}}`
			}
			return 0, ""
		}
		b := bot.New("limited")
		b.Message(echo)
		r.work(b)
		r.say(1, "much")
		r.say(1, "behind it")
		r.say(2, "in another chat")
		r.expect(time.Second, "2 in another chat")
		r.expect(20*8*time.Second, "2 in another chat", "1 much", "1 behind it")
		if got := r.letters(); len(got) != 0 {
			t.Errorf("dead letters: %q", got)
		}
		r.empty()
	})
}

func TestErrCancelledOfAHandlersOwnIsAFailure(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.cfg = turn.Config{MaxAttempts: 2}
		b := bot.New("own")
		b.Message(func(context.Context, *bot.Turn) error { return bot.ErrCancelled })
		r.work(b)
		r.say(1, "hello")
		r.expect(time.Minute)
		if got := r.letters(); !slices.Equal(got, []string{"1 error 2"}) {
			t.Errorf("dead letters: %q", got)
		}
		r.expectTurns("retried", 1)
	})
}

// A message that waits long gives its slot back and uses up no attempt.
func TestBacklogBehindSendLimitsMakesNoDeadLetters(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.cfg = turn.Config{MaxAttempts: 1, Deadline: 10 * time.Second}
		r.limits = limit.NewLocal(limit.Config{BotPerSecond: 5, BotBurst: 1})
		b := bot.New("b")
		b.Message(echo)
		r.work(b)
		const chats = 200 // 40 s at that rate
		for chat := range int64(chats) {
			r.say(chat+1, "hi")
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if n := len(r.sent()); n > 5*20+1 {
			t.Errorf("%d replies went out in 20 s, at 5 a second", n)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := len(r.sent()); n != chats {
			t.Errorf("%d of %d chats are answered", n, chats)
		}
		if got := r.letters(); len(got) != 0 {
			t.Errorf("%d dead letters, such as %q", len(got), got[0])
		}
		r.empty()
	})
}

func TestRateLimitedBotLosesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.cfg = turn.Config{MaxAttempts: 1, Deadline: 10 * time.Second}
		r.limits = limit.NewLocal(limit.Config{BotPerSecond: 30})
		until := time.Now().Add(10 * time.Minute)
		r.answer = func(string, map[string]any) (int, string) {
			if left := time.Until(until); left > 0 {
				return 429, fmt.Sprintf(`{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{"retry_after":%d}}`, int(left.Seconds())+1)
			}
			return 0, ""
		}
		b := bot.New("b")
		b.Message(echo)
		r.work(b)
		for chat := range int64(40) {
			r.say(chat+1, "hi")
		}
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		if n, got := len(r.sent()), r.letters(); n != 40 || len(got) != 0 {
			t.Errorf("%d of 40 chats are answered, %d dead letters", n, len(got))
		}
		r.empty()
	})
}

func TestHugeErrorBecomesADeadLetter(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.cfg = turn.Config{MaxAttempts: 1}
		b := bot.New("huge")
		b.Message(func(context.Context, *bot.Turn) error { return errors.New(strings.Repeat("<\xff", 1<<20)) }, bot.Text("huge"))
		b.Message(echo)
		r.work(b)
		r.say(1, "huge")
		r.say(1, "behind it")
		r.expect(time.Minute, "1 behind it")
		if got := r.letters(); !slices.Equal(got, []string{"1 error 1"}) {
			t.Errorf("dead letters: %q", got)
		}
		r.empty()
	})
}

// It is told long before its deadline: another turn may have its lane by then.
func TestHandlerIsToldThatItsLockIsLost(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		var cause error
		var after time.Duration
		b := bot.New("b")
		running := make(chan struct{}, 1)
		b.Message(func(ctx context.Context, tt *bot.Turn) error {
			began := time.Now()
			running <- struct{}{}
			<-ctx.Done()
			if cause == nil {
				cause, after = context.Cause(ctx), time.Since(began)
			}
			return ctx.Err()
		})
		r.work(b)
		r.say(1, "hi")
		<-running
		for name := range r.conn.JetStream().StreamNames(t.Context()).Name() {
			if strings.HasPrefix(name, "KV_") { // the state is gone, and with it the lock
				if err := r.conn.JetStream().DeleteStream(t.Context(), name); err != nil {
					t.Fatal(err)
				}
			}
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if !errors.Is(cause, fsm.ErrLockLost) || after > 10*time.Second {
			t.Errorf("the handler's context ended after %v because of %v, want a lost lock", after, cause)
		}
	})
}

// Error handlers have a context of their own. What they return decides as after any other error.
func TestErrorHandlersRunAfterTheDeadline(t *testing.T) {
	for _, tt := range []struct {
		name    string
		handled bool
		heard   []string
		letters []string
	}{
		{"last attempt", false, []string{"1 sorry", "1 behind it"}, []string{"1 timeout 2"}},
		{"handled", true, []string{"1 sorry", "1 behind it"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.cfg = turn.Config{Deadline: 10 * time.Second, MaxAttempts: 2}
				b := bot.New("slow")
				b.Message(func(ctx context.Context, _ *bot.Turn) error {
					<-ctx.Done()
					return ctx.Err()
				}, bot.Text("hang"))
				b.Message(echo)
				b.OnError(func(ctx context.Context, t *bot.Turn, err error) error {
					if due, ok := ctx.Deadline(); !ok || ctx.Err() != nil || time.Until(due) > 5*time.Second {
						return errors.New("the error handler has no time of its own")
					}
					if !tt.handled && !t.LastAttempt() {
						return err
					}
					if aerr := t.Answer(ctx, "sorry"); aerr != nil || tt.handled {
						return aerr
					}
					return err
				})
				r.work(b)
				r.say(1, "hang")
				r.say(1, "behind it")
				r.expect(time.Minute, tt.heard...)
				if got := r.letters(); !slices.Equal(got, tt.letters) {
					t.Errorf("dead letters: %q, want %q", got, tt.letters)
				}
				r.empty()
			})
		})
	}
}
