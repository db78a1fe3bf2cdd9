package turn

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/queue"
)

// Timers keep a conversation's timer beyond the turn that arms it.
type Timers interface {
	// Arm returns nil once the timer is stored; arming the same token again replaces it.
	Arm(ctx context.Context, t queue.Timer) error
	// Cancel may fail to have effect: a timer that nobody waits for is ignored.
	Cancel(t queue.Timer) error
}

// timerWish is what an attempt leaves about its conversation's timer. The zero
// value: nothing, at no cost.
type timerWish struct {
	after  time.Duration
	token  string // to arm; empty for none
	former string // to cancel; empty for none
	body   []byte
	late   bool // the update was a timeout, and nobody waits for it any more
}

// noteTimer reads the wish of a turn that its handler has ended.
func (t *task) noteTimer(turn *bot.Turn, err error) {
	if err != nil && !errors.Is(err, bot.ErrUnhandled) {
		return
	}
	t.timer.late = turn.Late()
	t.timer.former = turn.FormerTimeout()
	if after, token, armed, _ := turn.Timeout(); armed {
		t.timer.after, t.timer.token = after, token
		t.timer.body = bot.TimeoutEvent{State: turn.State(), Token: token}.Encode()
	}
}

// commit arms before the state that waits for the timer is kept, so that a kept
// timeout is never lost; and cancels after, because what fires without a state that
// waits for it is ignored. In between a turn may die at any point.
func (t *task) commit(ctx context.Context, s *fsm.Session) error {
	if t.timer.token != "" {
		if err := t.r.deps.Timers.Arm(ctx, t.timerOf(t.timer.token)); err != nil {
			return err
		}
	}
	if err := s.Commit(ctx); err != nil {
		return err
	}
	if t.timer.former != "" {
		if err := t.r.deps.Timers.Cancel(t.timerOf(t.timer.former)); err != nil {
			t.r.log.DebugContext(ctx, "timer not cancelled, it will be ignored", t.attrs(slog.String("error", err.Error()))...)
		}
	}
	if t.timer.late {
		t.r.metrics.late.Inc()
	}
	return nil
}

// timerOf is the timer of this turn's conversation. It fires in the lane of the
// turn that arms it, for the same chat and user.
func (t *task) timerOf(token string) queue.Timer {
	return queue.Timer{
		Conversation: t.keys.State, Token: token, After: t.timer.after,
		Update: queue.Update{Type: bot.Timeout.String(), Scope: t.d.Scope, Lane: t.d.Lane, Body: t.timer.body},
	}
}
