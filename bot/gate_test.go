package bot_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mymmrac/telego"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/bottest"
)

func TestGatesRefuseBeforeTheTurn(t *testing.T) {
	t.Parallel()
	root, child := bot.New("root"), bot.New("child")
	root.Include(child)
	var banned int64
	child.Before(func(_ context.Context, g bot.Envelope) error {
		if g.User == banned && !g.Received.IsZero() {
			return fmt.Errorf("banned: %w", bot.ErrDropped)
		}
		return nil
	})
	root.Message(bot.Say("hello"))
	w := bottest.New(t, root)
	ann, bob := w.Person("Ann"), w.Person("Bob")
	banned = bob.ID()
	ann.Say("hi")
	bob.Say("hi")
	ann.Expect("hello")
	bob.ExpectSilence()
	if w.Dropped() != 1 {
		t.Errorf("%d updates dropped, want 1", w.Dropped())
	}
}

func TestAdmitGivesTheFirstRefusal(t *testing.T) {
	t.Parallel()
	broken := errors.New("ban list is not there")
	r := bot.New("r")
	r.Before(func(context.Context, bot.Envelope) error { return nil })
	r.Before(func(context.Context, bot.Envelope) error { return broken })
	r.Before(func(context.Context, bot.Envelope) error { return bot.ErrDropped })
	if err := compiled(t, r).Admit(t.Context(), bot.Envelope{Type: "message"}); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}

func admits(t *testing.T, th *bot.Throttle, user int64) bool {
	t.Helper()
	err := th.Gate(t.Context(), bot.Envelope{Bot: 42, Chat: -5, User: user})
	if err != nil && !errors.Is(err, bot.ErrDropped) {
		t.Fatal(err)
	}
	return err == nil
}

func TestThrottleDropsWhatIsTooMuch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		th := bot.NewThrottle(bot.ThrottleConfig{Limit: 3, Per: time.Minute})
		ask := func(user int64) bool { return admits(t, th, user) }
		for i := range 3 {
			if !ask(1) {
				t.Errorf("update %d refused, want 3 admitted", i+1)
			}
		}
		if ask(1) {
			t.Error("fourth update admitted")
		}
		if !ask(2) {
			t.Error("another user refused")
		}
		if !ask(0) { // then it is the chat that counts
			t.Error("update without a user refused")
		}
		time.Sleep(20 * time.Second)
		if !ask(1) || ask(1) {
			t.Error("want one more after a third of the time")
		}
		time.Sleep(time.Hour)
		var admitted int
		for range 5 {
			if ask(1) {
				admitted++
			}
		}
		if admitted != 3 {
			t.Errorf("%d admitted after a long time, want the whole limit of 3", admitted)
		}
	})
	mustPanic(t, "throttle of -1", func() { bot.NewThrottle(bot.ThrottleConfig{Limit: -1}) })
}

func TestThrottleCanAnswerInstead(t *testing.T) {
	t.Parallel()
	r := bot.New("r")
	th := bot.NewThrottle(bot.ThrottleConfig{Limit: 1, Key: func(g bot.Envelope) int64 { return g.Chat }})
	r.Outer(th.Middleware(bot.Say("slow down")))
	r.Message(bot.Say("hello"))
	ann := bottest.New(t, r).Person("Ann")
	ann.Say("hi")
	ann.Say("hi")
	ann.Expect("hello", "slow down")
}

func TestUrgentRunsBesideTheLaneAndCancels(t *testing.T) {
	t.Parallel()
	working := make(chan struct{})
	r := bot.New("r")
	r.Urgent(bot.Message, func(_ context.Context, t *bot.Turn) error {
		t.CancelRunning()
		return nil
	}, bot.Command("stop"))
	r.Message(func(ctx context.Context, t *bot.Turn) error {
		if err := t.SetState(ctx, "work:busy"); err != nil {
			return err
		}
		close(working)
		<-ctx.Done()
		if !errors.Is(context.Cause(ctx), bot.ErrCancelled) {
			return fmt.Errorf("cause is %w", context.Cause(ctx))
		}
		return ctx.Err()
	}, bot.Command("work"))
	r.Message(bot.Say("stopped"), bot.Command("stop"))
	ann := bottest.New(t, r).Person("Ann")

	done := make(chan struct{})
	go func() {
		defer close(done)
		ann.Say("/work")
	}()
	<-working
	ann.Say("/stop") // would wait for ever, were it not urgent
	<-done
	ann.Expect("stopped") // and it had its ordinary turn as well
	ann.ExpectState(bot.None)
}

func TestUrgentNeedsNoOrdinaryHandler(t *testing.T) {
	t.Parallel()
	r, off := bot.New("r"), bot.New("off")
	r.Urgent(bot.Message, bot.Say("at once"), bot.Command("stop"))
	r.Urgent(bot.Message, nothing, bot.Func(func(context.Context, *bot.Turn) (bool, error) { panic("broken filter") }))
	off.Urgent(bot.Message, nothing, bot.Command("off"))
	off.SetEnabled(false)
	r.Include(off)
	w := bottest.New(t, r)
	ann := w.Person("Ann")
	ann.Say("/stop")
	ann.Expect("at once")
	if w.Unhandled() != 0 {
		t.Error("an urgent update counts as unhandled")
	}
	if compiled(t, r).UrgentTypes() != bot.Message || !compiled(t, r).IsUrgent(t.Context(), message("/stop")) || compiled(t, r).IsUrgent(t.Context(), message("/off")) {
		t.Error("want /stop to be urgent, and what is switched off not")
	}
	if err := compiled(t, r).AnswerUrgent(t.Context(), message("hi")); !errors.Is(err, bot.ErrUnhandled) {
		t.Errorf("got %v, want ErrUnhandled", err)
	}
	message("hi").CancelRunning() // outside of an urgent turn it does nothing
}

func TestAlbumsComeInOneTurn(t *testing.T) {
	t.Parallel()
	count := func(ctx context.Context, t *bot.Turn) error {
		return t.Answer(ctx, fmt.Sprintf("%d in the album, %q", len(t.Album()), t.Text()))
	}
	photo := telego.Message{Photo: []telego.PhotoSize{{FileID: "f"}}, Caption: "first"}
	for gathered, want := range map[bool][]string{
		true: {`2 in the album, "first"`}, false: {`0 in the album, "first"`, `0 in the album, "first"`},
	} {
		root, child := bot.New("root"), bot.New("child")
		root.Include(child)
		if gathered {
			child.Albums(500 * time.Millisecond)
		}
		root.Message(count, bot.MediaGroup())
		if gathered {
			if wait := compiled(t, root).AlbumWait(); wait != 500*time.Millisecond {
				t.Errorf("albums wait %v", wait)
			}
		}
		ann := bottest.New(t, root).Person("Ann")
		ann.Album(photo, photo)
		ann.Expect(want...)
		ann.ExpectSilence()
	}
}
