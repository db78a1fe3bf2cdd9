package turn_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/telegram/api"
	"github.com/chatlane/chatlane/internal/turn"
)

// stopping is a bot with long work, and an urgent /stop.
func stopping() *bot.Router {
	b := bot.New("b")
	b.Urgent(bot.Message, func(ctx context.Context, t *bot.Turn) error {
		t.CancelRunning()
		return t.Answer(ctx, "stopping")
	}, bot.Command("stop"))
	b.Message(func(ctx context.Context, t *bot.Turn) error {
		if err := t.SetState(ctx, "work:busy"); err != nil {
			return err
		}
		if err := t.Answer(ctx, "working"); err != nil {
			return err
		}
		<-ctx.Done()
		if !errors.Is(context.Cause(ctx), bot.ErrCancelled) {
			return fmt.Errorf("cause is %w", context.Cause(ctx))
		}
		return ctx.Err()
	}, bot.Command("work"))
	b.Message(bot.Say("stopped at a step"), bot.Command("stop"), bot.InFlow("work"))
	b.Message(bot.Say("stopped"), bot.Command("stop"))
	b.Message(echo)
	return b
}

func echo(ctx context.Context, t *bot.Turn) error { return t.Answer(ctx, t.Text()) }

func hang(ctx context.Context, _ *bot.Turn) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestUrgentUpdateCancelsTheRunningTurnOfItsLane(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		w := r.work(stopping())
		r.say(5, "/work")
		time.Sleep(time.Second)
		r.say(6, "/work")
		time.Sleep(time.Second)
		r.say(5, "/stop")
		r.say(5, "after")
		r.expect(5*time.Second, "5 working", "6 working", "5 stopping", "5 stopped", "5 after")
		r.expectTurns("cancelled", 1) // the other chat works on
		r.expectTurns("committed", 2)
		r.say(6, "/stop")
		r.expect(time.Second, "5 working", "6 working", "5 stopping", "5 stopped", "5 after", "6 stopping", "6 stopped")
		w.stop()
		r.empty()
	})
}

func TestTurnThatWaitsForAnotherAttemptIsCancelledToo(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.cfg = turn.Config{MaxAttempts: 9, MinBackoff: 8 * time.Second, ParkAfter: time.Minute}
		b := stopping()
		b.Urgent(bot.ChannelPost, hang) // another type changes nothing
		tries := 0
		root := bot.New("root")
		root.Message(func(context.Context, *bot.Turn) error { tries++; return errors.New("broken") }, bot.Text("fail"))
		root.Include(b)
		w := r.work(root)
		r.say(5, "fail")
		time.Sleep(time.Second)
		r.say(5, "/stop")
		r.expect(time.Minute, "5 stopping", "5 stopped")
		if tries != 1 {
			t.Errorf("%d attempts, want 1: it was cancelled after the first", tries)
		}
		r.expectTurns("cancelled", 1)
		w.stop()
		r.empty()
	})
}

func TestUrgentUpdateKeepsItsPlaceInTheLane(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		b := bot.New("b")
		b.Urgent(bot.Message, bot.Say("at once"), bot.Command("ping"))
		dies := true
		b.Message(func(ctx context.Context, t *bot.Turn) error {
			if dies {
				<-ctx.Done()
				return ctx.Err()
			}
			return t.Answer(ctx, "slow")
		}, bot.Text("slow"))
		b.Message(echo)
		w := r.work(b)
		r.say(5, "slow")
		r.say(5, "one")
		r.say(5, "/ping")
		r.say(5, "two")
		r.expect(time.Second, "5 at once") // before all that waits
		w.kill()
		dies = false
		w = r.work(b)
		// Nothing that waited was passed over, and the urgent handler does not run again.
		r.expect(10*time.Second, "5 at once", "5 slow", "5 one", "5 /ping", "5 two")
		w.stop()
		r.empty()
	})
}

func TestUrgentCallsAreNotRepeatedAfterACrash(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		b := bot.New("b")
		dies := true
		b.Urgent(bot.Message, func(ctx context.Context, t *bot.Turn) error {
			if err := t.Answer(ctx, "first half"); err != nil {
				return err
			}
			if dies {
				return hang(ctx, t)
			}
			return t.Answer(ctx, "second half")
		}, bot.Command("ping"))
		w := r.work(b)
		r.say(5, "/ping")
		r.expect(time.Second, "5 first half")
		w.kill()
		dies = false
		w = r.work(b)
		r.expect(10*time.Second, "5 first half", "5 second half")
		w.stop()
		r.empty()
	})
}

// The crash comes after the urgent handler, and before the turn that it cancelled is over.
func TestCancelledTurnStaysCancelledAfterACrash(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		b := stopping()
		stubborn := bot.New("root")
		runs := 0
		stubborn.Message(func(ctx context.Context, _ *bot.Turn) error {
			if runs++; runs == 1 {
				time.Sleep(4 * time.Second) // ignores that it was cancelled
			}
			<-ctx.Done()
			return ctx.Err()
		}, bot.Text("stubborn"))
		stubborn.Include(b)
		w := r.work(stubborn)
		r.say(5, "stubborn")
		time.Sleep(time.Second)
		r.say(5, "/stop")
		time.Sleep(time.Second)
		w.kill()
		w = r.work(stubborn)
		r.expect(10*time.Second, "5 stopping", "5 stopped")
		r.expectTurns("cancelled", 1)
		w.stop()
		r.empty()
	})
}

func TestFailingUrgentHandlerIsTriedAgainInTheLane(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.cfg = turn.Config{MaxAttempts: 3, MinBackoff: 100 * time.Millisecond}
		tries := map[string]int{}
		b := bot.New("b")
		b.Urgent(bot.Message, func(ctx context.Context, t *bot.Turn) error {
			r.mu.Lock()
			tries[t.Text()]++
			n := tries[t.Text()]
			r.mu.Unlock()
			if t.Text() == "/never" || n < 3 {
				return errors.New("broken")
			}
			return t.Answer(ctx, "urgent")
		}, bot.Command("third", "never"))
		b.Message(echo)
		w := r.work(b)
		r.say(5, "/third")
		never := r.say(5, "/never")
		r.say(5, "after")
		r.expect(time.Minute, "5 urgent", "5 /third", "5 after")
		if tries["/third"] != 3 || tries["/never"] != 3 {
			t.Errorf("tries %v, want 3 each", tries)
		}
		if got := r.dead(); !slices.Equal(got, []int64{never}) {
			t.Errorf("dead letters of updates %v, want of %d alone", got, never)
		}
		w.stop()
		r.empty()
	})
}

func TestUrgentUpdateOfTelegramsRetryIsNotRunAgain(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		w := r.work(stopping())
		id := r.say(5, "/stop")
		r.expect(time.Second, "5 stopping", "5 stopped")
		time.Sleep(15 * time.Minute) // the stream has forgotten the update id
		r.deliver(id, 5, map[string]any{"text": "/stop"})
		r.expect(time.Second, "5 stopping", "5 stopped")
		r.expectTurns("already_done", 1)
		w.stop()
		r.empty()
	})
}

func TestGatesRunOnceForAnUrgentUpdate(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		b := stopping()
		asked := map[string]int{}
		b.Before(func(_ context.Context, g bot.Envelope) error {
			r.mu.Lock()
			asked[fmt.Sprint(g.Chat)]++
			r.mu.Unlock()
			if g.Chat == 6 {
				return bot.ErrDropped
			}
			return nil
		})
		w := r.work(b)
		r.say(5, "/stop")
		r.say(6, "/stop")
		r.expect(time.Second, "5 stopping", "5 stopped")
		if asked["5"] != 1 || asked["6"] != 1 {
			t.Errorf("gates were asked %v times, want once each", asked)
		}
		r.expectTurns("dropped", 1)
		w.stop()
		r.empty()
	})
}

func TestUrgentHandlersCostNothingWhereThereAreNone(t *testing.T) {
	calm := bot.New("calm")
	calm.Message(echo)
	other := bot.New("other")
	other.Urgent(bot.CallbackQuery, hang)
	for _, b := range []*bot.Router{calm, other} {
		runner := turn.New(turn.Config{}, turn.Deps{
			Program: compiled(t, b), Client: api.NewClient(api.Config{}, nil, nil),
		}, slog.New(slog.DiscardHandler), nil)
		d := &queue.Delivery{Update: queue.Update{ID: 1, Type: "message", Lane: "42:c:5", Scope: lane.Scope{Bot: 42, Kind: lane.KindChat, Chat: 5, User: 7}}}
		var run queue.Attempt
		if n := testing.AllocsPerRun(100, func() { run = runner.Start(d) }); n > 5 {
			t.Errorf("router %s: %v allocations for an arriving update, want 5: the turn, its closure and its keys", b.Name(), n)
		}
		if run == nil {
			t.Error("no turn")
		}
	}
}

func TestManyUrgentUpdatesRunAtOnceUpToABound(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.cfg = turn.Config{MaxUrgent: 3}
		running, most := 0, 0
		b := bot.New("b")
		b.Urgent(bot.Message, func(context.Context, *bot.Turn) error {
			r.mu.Lock()
			running++
			most = max(most, running)
			r.mu.Unlock()
			time.Sleep(time.Second)
			r.mu.Lock()
			running--
			r.mu.Unlock()
			return nil
		}, bot.Command("ping"))
		w := r.work(b)
		for range 9 {
			r.say(5, "/ping")
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if most != 3 {
			t.Errorf("%d urgent handlers ran at once, want 3", most)
		}
		r.expectTurns("committed", 9)
		w.stop()
		r.empty()
	})
}
