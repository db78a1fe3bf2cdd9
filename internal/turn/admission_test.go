package turn_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/turn"
)

// The update becomes a dead letter like any other that fails at each attempt.
func TestPanicInAGateEndsNoWorker(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.cfg = turn.Config{MaxAttempts: 2}
		b := bot.New("gate")
		b.Before(func(_ context.Context, g bot.Envelope) error {
			if g.Update == 1001 {
				panic("nil map")
			}
			return nil
		})
		b.Message(echo)
		r.work(b)
		r.say(1, "panics")
		r.say(1, "behind it")
		r.say(2, "in another chat")
		r.expect(time.Minute, "2 in another chat", "1 behind it")
		if got := r.letters(); !slices.Equal(got, []string{"1 panic 2"}) {
			t.Errorf("dead letters: %q", got)
		}
		r.empty()
	})
}

func TestFailingGateIsCalledAgain(t *testing.T) {
	for name, urgent := range map[string]bool{"in the lane": false, "in an urgent run": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				asked := 0
				b := bot.New("gate")
				b.Before(func(context.Context, bot.Envelope) error {
					if asked++; asked < 3 {
						return errors.New("ban list is not there")
					}
					return bot.ErrDropped
				})
				if urgent {
					b.Urgent(bot.Message, hang, bot.Command("stop"))
				}
				b.Message(echo)
				r.work(b)
				r.say(1, "banned")
				r.expect(time.Minute)
				r.expectTurns("dropped", 1)
				if asked != 3 {
					t.Errorf("asked %d times, want 3", asked)
				}
				r.empty()
			})
		})
	}
}

func TestPipelineRunsEveryRouterFeature(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		b, off := bot.New("all"), bot.New("off")
		outer, calls := 0, 0
		b.Outer(func(next bot.Handler) bot.Handler {
			return func(ctx context.Context, t *bot.Turn) error { outer++; return next(ctx, t) }
		})
		b.Calls(func(next bot.CallFunc) bot.CallFunc {
			return func(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error) {
				calls++
				return next(ctx, method, params)
			}
		})
		b.OnUnhandled(bot.Say("what?"))
		off.Message(bot.Say("on"), bot.Text("switch"))
		b.Include(off)
		r.work(b)
		r.say(1, "hm")
		r.say(1, "switch")
		r.expect(time.Second, "1 what?", "1 on")
		off.SetEnabled(false)
		r.say(1, "switch")
		r.expect(time.Second, "1 what?", "1 on", "1 what?")
		r.expectTurns("unhandled", 2)
		if outer != 3 || calls != 3 {
			t.Errorf("outer middleware ran %d times, call middleware %d; want 3 and 3", outer, calls)
		}
		r.empty()
	})
}

func TestHandlerDownloadsAFileAndKnowsItsLastAttempt(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.cfg = turn.Config{MaxAttempts: 2}
		r.answer = func(method string, _ map[string]any) (int, string) {
			switch method {
			case "getFile":
				return 200, `{"ok":true,"result":{"file_id":"F","file_unique_id":"U","file_path":"documents/a.txt"}}`
			case "a.txt":
				return 200, "what it holds"
			}
			return 0, ""
		}
		var attempts []bool
		b := bot.New("files")
		b.Message(func(ctx context.Context, t *bot.Turn) error {
			attempts = append(attempts, t.LastAttempt())
			f, err := t.Download(ctx, "F")
			if err != nil {
				return err
			}
			text, err := io.ReadAll(f)
			if err := errors.Join(err, f.Close()); err != nil {
				return err
			}
			if !t.LastAttempt() {
				return errors.New("once more")
			}
			return t.Answer(ctx, string(text))
		})
		r.work(b)
		r.say(1, "hi")
		time.Sleep(time.Minute)
		if sent := r.sent(); !slices.Contains(sent, "1 what it holds") {
			t.Errorf("sent %q", sent)
		}
		if !slices.Equal(attempts, []bool{false, true}) {
			t.Errorf("last attempt: %v", attempts)
		}
		r.empty()
	})
}

// Calls may have been made for an update that another worker has begun.
func TestStartedUpdateIsNotDropped(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		b := bot.New("gate")
		asked := 0
		b.Before(func(context.Context, bot.Envelope) error {
			if asked++; asked > 1 {
				return bot.ErrDropped
			}
			return nil
		})
		b.Message(func(ctx context.Context, tt *bot.Turn) error {
			if err := tt.Answer(ctx, "charged"); err != nil {
				return err
			}
			return errors.New("db down")
		})
		r.work(b)
		r.say(1, "pay")
		time.Sleep(10 * time.Minute)
		if got := r.letters(); !slices.Equal(got, []string{"1 error 5"}) {
			t.Errorf("dead letters: %q", got)
		}
		r.expectTurns("dropped", 0)
		r.empty()
	})
}

func TestGateThatSaysUnhandledFails(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		b := bot.New("gate")
		asked := 0
		b.Before(func(context.Context, bot.Envelope) error {
			if asked++; asked > 1000 {
				return nil
			}
			return bot.ErrUnhandled
		})
		b.Message(echo)
		r.work(b)
		r.say(1, "pay")
		time.Sleep(10 * time.Minute)
		if got := r.letters(); asked > 10 || !slices.Equal(got, []string{"1 error 5"}) {
			t.Errorf("asked %d times, dead letters: %q", asked, got)
		}
	})
}
