package turn_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/broker/natstest"
	"github.com/chatlane/chatlane/internal/queue/deadletter"
	"github.com/chatlane/chatlane/internal/turn"
)

// until runs one worker after the other, each killed on die; the last one runs undisturbed for peace.
func (r *rig) until(b *bot.Router, die <-chan struct{}, peace time.Duration, most int) (killed int) {
	r.t.Helper()
	for ; killed <= most; killed++ {
		w := r.work(b)
		quiet := time.NewTimer(peace)
		select {
		case <-die:
			quiet.Stop()
			w.kill()
		case <-quiet.C:
			return killed
		}
	}
	return killed
}

// At each death 20 other updates are under way. They do not become dead letters.
func TestUpdateThatKillsItsWorkerBecomesADeadLetter(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		die, owned := make(chan struct{}), make(chan struct{})
		b := bot.New("crash")
		b.Message(func(ctx context.Context, tt *bot.Turn) error {
			switch tt.Text() {
			case "first":
				close(owned)
			case "boom":
				select {
				case die <- struct{}{}:
				case <-ctx.Done():
				}
				<-ctx.Done() // nothing after this is part of its life
				return ctx.Err()
			case "slow":
				// No two end in one moment: else a worker might die between an answer and its journal entry.
				timer := time.NewTimer(3*time.Second + time.Duration(tt.Chat())*7*time.Millisecond)
				defer timer.Stop()
				select {
				case <-timer.C:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return tt.Answer(ctx, tt.Text())
		})
		r.say(22, "first")
		go func() {
			<-owned                 // what is stored before the takeover counts as inherited
			time.Sleep(time.Second) // and the first update is done
			for chat := int64(2); chat <= 21; chat++ {
				r.say(chat, "slow")
			}
			r.say(1, "boom")
			r.say(1, "after")
		}()
		killed := r.until(b, die, 2*time.Minute, 12)
		if killed != 6 { // its first start is not marked, and five are allowed
			t.Errorf("%d workers died, want 6", killed)
		}
		letters := 0
		for l, err := range deadletter.New(r.conn).All(t.Context(), deadletter.Filter{}) {
			if err != nil {
				t.Fatal(err)
			}
			letters++
			if l.Reason != deadletter.ReasonCrash || l.Scope.Chat != 1 {
				t.Errorf("update %d of chat %d died of %s after %d attempts", l.Update, l.Scope.Chat, l.Reason, l.Attempts)
			}
		}
		if letters != 1 {
			t.Errorf("%d dead letters, want the one", letters)
		}
		sent := r.sent()
		slices.Sort(sent)
		if len(sent) != 22 || sent[0] != "1 after" {
			t.Errorf("sent %d answers, want 22: %q", len(sent), sent)
		}
		r.empty()
	})
}

func TestWaitingUpdateOutlivesAnyNumberOfWorkers(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.cfg = turn.Config{ParkAfter: time.Minute}
		down := true
		r.answer = func(string, map[string]any) (int, string) {
			if down {
				return 502, `{"ok":false,"error_code":502,"description":"Bad Gateway"}`
			}
			return 0, ""
		}
		b := bot.New("wait")
		b.Message(func(ctx context.Context, tt *bot.Turn) error { return tt.Answer(ctx, tt.Text()) })
		r.say(1, "hello")
		for range 9 {
			w := r.work(b)
			for i := 0; i < 6000 && r.count("chatlane_turns_total", "waited") == 0; i++ {
				time.Sleep(10 * time.Millisecond)
			}
			synctest.Wait() // a lane waits for 50 ms or more: no attempt is under way
			w.kill()
		}
		r.mu.Lock()
		down = false
		r.mu.Unlock()
		r.work(b)
		r.expect(time.Minute, "1 hello")
		if dead := r.dead(); len(dead) != 0 {
			t.Errorf("dead: %v", dead)
		}
	})
}

// The worker lives and knows which starts were its own.
func TestUpdateSurvivesDisconnectionsOfItsWorker(t *testing.T) {
	for name, on := range map[string]func(*bot.Router, bot.Handler){"in its lane": inLane, "urgent": urgently} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				const cuts = 20
				if n := r.cutOff(cuts, on); n != cuts {
					t.Errorf("begun again after %d cuts and then no more; dead letters: %q", n, r.letters())
				}
				r.expect(5*time.Minute, "1 hello")
				if letters := r.letters(); len(letters) != 0 {
					t.Errorf("dead letters: %q", letters)
				}
				r.empty()
			})
		})
	}
}

func inLane(b *bot.Router, h bot.Handler)   { b.Message(h) }
func urgently(b *bot.Router, h bot.Handler) { b.Urgent(bot.Message, h, bot.Plain()) }

func TestUpdateThatStallsItsWorkerBecomesADeadLetter(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		if n := r.cutOff(100, inLane); n < 50 || n > 60 {
			t.Errorf("begun %d times, want some 55", n)
		}
		if letters := r.letters(); !slices.Equal(letters, []string{"1 crash 1"}) {
			t.Errorf("dead letters: %q, want the one", letters)
		}
		r.empty()
	})
}

// cutOff cuts a worker off from broker and store in mid-turn of one update, at each start, at most so many times.
func (r *rig) cutOff(most int, on func(*bot.Router, bot.Handler)) (cuts int) {
	r.t.Helper()
	began := make(chan struct{})
	b := bot.New("cut")
	on(b, func(ctx context.Context, tt *bot.Turn) error {
		select {
		case began <- struct{}{}: // the wire is cut now
			<-ctx.Done()
			return ctx.Err()
		case <-time.After(time.Minute): // it is cut no more
			return tt.Answer(ctx, tt.Text())
		}
	})
	r.cfg = turn.Config{Deadline: 5 * time.Minute}
	r.wire = natstest.NewWire(r.server)
	r.say(1, "hello") // before there is a worker, so that its turns are marked
	r.work(b)
	for ; cuts < most; cuts++ {
		select {
		case <-began:
		case <-time.After(5 * time.Minute):
			return cuts
		}
		r.wire.Hold()
		time.Sleep(5 * time.Second)
		r.wire.Thaw()
	}
	return cuts
}

func TestUrgentUpdateThatKillsItsWorkerBecomesADeadLetter(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		die := make(chan struct{})
		b := bot.New("crash")
		b.Urgent(bot.Message, func(ctx context.Context, tt *bot.Turn) error {
			select {
			case die <- struct{}{}:
			case <-ctx.Done():
			}
			<-ctx.Done()
			return ctx.Err()
		}, bot.Command("stop"))
		b.Message(echo)
		go func() { time.Sleep(time.Second); r.say(1, "/stop") }()
		killed := r.until(b, die, 2*time.Minute, 30)
		if got := r.letters(); killed > 6 || !slices.Equal(got, []string{"1 crash 1"}) {
			t.Errorf("%d workers died of one urgent update; dead letters: %q", killed, got)
		}
		r.empty()
	})
}

func TestOtherUrgentUpdatesOutliveACrashingOne(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		die := make(chan struct{})
		b := bot.New("crash")
		b.Urgent(bot.Message, func(ctx context.Context, tt *bot.Turn) error {
			if tt.Text() == "/boom" {
				select {
				case die <- struct{}{}:
				case <-ctx.Done():
				}
				<-ctx.Done()
				return ctx.Err()
			}
			timer := time.NewTimer(3 * time.Second)
			defer timer.Stop()
			select {
			case <-timer.C:
				return tt.Answer(ctx, tt.Text())
			case <-ctx.Done():
				return ctx.Err()
			}
		}, bot.Command("boom", "slow"))
		b.Message(func(context.Context, *bot.Turn) error { return nil })
		go func() {
			time.Sleep(time.Second)
			for chat := int64(2); chat <= 6; chat++ {
				r.say(chat, "/slow")
			}
			r.say(1, "/boom")
		}()
		r.until(b, die, 2*time.Minute, 30)
		if got := r.letters(); !slices.Equal(got, []string{"1 crash 1"}) {
			t.Errorf("dead letters: %q, want that of the crashing update alone", got)
		}
		if n := len(r.sent()); n != 5 {
			t.Errorf("%d of 5 other urgent handlers answered", n)
		}
		r.empty()
	})
}
