package bot_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
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
