package turn_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/queue/deadletter"
	"github.com/chatlane/chatlane/internal/turn"
)

func TestUpdateIsHeldUntilItsDeadLetterIsWritten(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.cfg = turn.Config{MaxAttempts: 1}
		b := bot.New("poison")
		b.Message(func(ctx context.Context, tt *bot.Turn) error {
			if tt.Text() == "poison" {
				return errors.New("no")
			}
			return tt.Answer(ctx, tt.Text())
		})
		full := func(most int64) {
			s, err := r.conn.JetStream().Stream(t.Context(), broker.Names{}.DeadLetters())
			if err != nil {
				t.Fatal(err)
			}
			cfg := s.CachedInfo().Config
			cfg.MaxMsgs, cfg.Discard = most, jetstream.DiscardNew // here the broker refuses letters
			if _, err := r.conn.JetStream().UpdateStream(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
		}
		r.work(b) // it lets the broker drop the oldest again
		full(1)
		first := r.say(1, "poison")
		time.Sleep(time.Second)
		held := r.say(2, "poison")
		r.say(2, "behind it")
		r.say(3, "in another chat")
		r.expect(time.Minute, "3 in another chat")
		if dead := r.dead(); !slices.Equal(dead, []int64{first}) {
			t.Errorf("dead: %v, want %d alone", dead, first)
		}
		full(-1)
		r.expect(time.Minute, "3 in another chat", "2 behind it")
		// The first may be gone: a changed stream looks for old letters by real time.
		if dead := r.dead(); !slices.Contains(dead, held) {
			t.Errorf("dead: %v, want %d among them", dead, held)
		}
		r.empty()
	})
}

// deadly is a store of dead letters in which a worker dies, before or after the letter is stored.
type deadly struct {
	turn.DeadLetters
	after bool
	die   chan struct{}
}

func (d deadly) Put(ctx context.Context, l deadletter.Letter) error {
	if d.after {
		if err := d.DeadLetters.Put(ctx, l); err != nil {
			return err
		}
	}
	close(d.die)
	<-ctx.Done() // the worker is dead from here on
	return ctx.Err()
}

// The update has one letter in the end, and its handler does not run again, even if it would succeed now.
func TestDeadLetterIsFinalThroughACrash(t *testing.T) {
	for name, tt := range map[string]struct {
		after bool
		pause time.Duration
	}{
		"before the letter": {},
		"after the letter":  {after: true},
		"after the letter, and the broker forgot its id": {after: true, pause: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.cfg = turn.Config{MaxAttempts: 2}
				die, ill := make(chan struct{}), true
				r.wrapDead = func(d turn.DeadLetters) turn.DeadLetters { return deadly{d, tt.after, die} }
				b := bot.New("ill")
				b.Message(func(ctx context.Context, tt *bot.Turn) error {
					if ill {
						return errors.New("no")
					}
					return tt.Answer(ctx, tt.Text())
				})
				w := r.work(b)
				dies := r.say(1, "first")
				r.say(1, "behind it")
				<-die
				w.kill()
				time.Sleep(tt.pause)
				ill, r.wrapDead = false, nil
				r.work(b)
				r.expect(time.Minute, "1 behind it")
				if dead := r.dead(); !slices.Equal(dead, []int64{dies}) {
					t.Errorf("dead: %v, want %d, once", dead, dies)
				}
				r.empty()
			})
		})
	}
}
