package turn

import (
	"context"
	"errors"
	"time"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/queue/timer"
)

// Timers keeps a conversation's timer beyond the turn that arms it.
type Timers interface {
	// Arm returns nil once the timer is stored; the same token again replaces it.
	Arm(ctx context.Context, t timer.Timer) error
	// Cancel may have no effect: a timer that no state waits for is ignored.
	Cancel(t timer.Timer) error
}

// timerWish is what an attempt wants done about its conversation's timer; zero for nothing.
type timerWish struct {
	after  time.Duration
	token  string // to arm; may be empty
	former string // to cancel; may be empty
	body   []byte
	late   bool // the update is a timeout that no state waits for
}

// An abandoned handler may still run: readTimer reads no turn whose handler ended with an error.
func (t *task) readTimer(turn *bot.Turn, err error) {
	if err != nil && !errors.Is(err, bot.ErrUnhandled) {
		return
	}
	timer := t.r.deps.Program.Timer(turn)
	t.timer.late = timer.Late
	t.timer.former = timer.Former
	if timer.After > 0 {
		t.timer.after, t.timer.token = timer.After, timer.Token
		t.timer.body = bot.TimeoutEvent{State: turn.State(), Token: timer.Token}.Encode()
	}
}

func (t *task) armTimer(ctx context.Context) error {
	if t.timer.token == "" {
		return nil
	}
	return t.r.deps.Timers.Arm(ctx, t.timerOf(t.timer.token))
}

func (t *task) cancelTimer() error {
	if t.timer.former == "" {
		return nil
	}
	return t.r.deps.Timers.Cancel(t.timerOf(t.timer.former))
}

func (t *task) timerOf(token string) timer.Timer {
	return timer.Timer{
		Conversation: t.keys.State, Token: token, After: t.timer.after,
		Update: queue.Update{Type: bot.Timeout.String(), Scope: t.d.Scope, Lane: t.d.Lane, Body: t.timer.body},
	}
}
