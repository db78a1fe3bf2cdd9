package turn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/queue/deadletter"
	"github.com/chatlane/chatlane/internal/queue/timer"
	"github.com/chatlane/chatlane/internal/telegram/api"
)

// Errors of the pipeline's own.
var (
	// ErrDeadline says that a handler took longer than it may.
	ErrDeadline = errors.New("handler exceeded its deadline")
	// ErrAbandoned is what the late calls of an abandoned handler get.
	ErrAbandoned = errors.New("handler was abandoned: its turn is over")
	// ErrUndecoded says that the worker's decoder could not read the update.
	ErrUndecoded = errors.New("update could not be decoded")
	// ErrNoBot says that an update belongs to a bot that this worker does not know.
	ErrNoBot = errors.New("bot is not configured in this worker")
)

// action is what happens to an update after an attempt.
type action uint8

const (
	actCommit action = iota // the handler is content: commit and acknowledge
	actRetry                // the handler failed: an attempt is used up
	actWait                 // nobody's fault: try again, no attempt used up
	actDead                 // attempts used up, or hopeless from the start
	actLeave                // the partition goes elsewhere: touch nothing more
)

// verdict is the decision on one error.
type verdict struct {
	action action
	after  time.Duration // before the next attempt
	park   bool          // wait for it aside, so that the partition's window is free
	reason string        // label of the metric; for actDead the dead letter's reason

	text        string // of the error
	stack       string // of the panic that it is
	storeFailed bool
}

// judge decides what err means for an update that has failed attempts times before.
// Waits counts the attempts in a row that were not the update's fault. An error whose
// own methods panic, as a nil pointer of an author's type does, is that panic.
func (c Config) judge(ctx context.Context, err error, attempts, waits int) (v verdict) {
	if err == nil {
		return verdict{action: actCommit}
	}
	defer func() {
		if p := recover(); p != nil {
			v = c.judge(ctx, recovered(fmt.Sprint(p)), attempts, waits) // its text: p may be such an error as well
		}
	}()
	v = c.decide(ctx, err, attempts, waits)
	v.text, v.stack, v.storeFailed = err.Error(), stackOf(err), ctx.Err() == nil && storeFailed(err)
	return v
}

func (c Config) decide(ctx context.Context, err error, attempts, waits int) verdict {
	switch {
	case errors.Is(err, bot.ErrUnhandled):
		return verdict{action: actCommit}
	case ctx.Err() != nil:
		return verdict{action: actLeave, reason: "cancelled"}
	}
	if v, ok := c.blameless(err, waits); ok {
		return v
	}
	reason := blame(err)
	if attempts+1 >= c.MaxAttempts || hopeless(err) {
		return verdict{action: actDead, reason: reason}
	}
	after := c.backoff(attempts)
	return verdict{action: actRetry, after: after, park: c.parks(after), reason: reason}
}

// blameless finds the errors that are no fault of the update: rate limits, fences
// and broken infrastructure. They use up no attempt, however often they come.
func (c Config) blameless(err error, waits int) (verdict, bool) {
	var no *api.Error
	var away *bot.UnavailableError
	switch {
	case errors.As(err, &no) && no.RetryAfter > 0:
		return c.wait(jitter(no.RetryAfter, no.RetryAfter/10), "rate_limited"), true
	case errors.Is(err, fsm.ErrLockLost), errors.Is(err, fsm.ErrCursorMoved),
		errors.Is(err, fsm.ErrStreamChanged), errors.Is(err, fsm.ErrClosed):
		return verdict{action: actWait, after: pace(waits), reason: "fenced"}, true
	case errors.Is(err, fsm.ErrBusy):
		return verdict{action: actWait, after: pace(0), reason: "locked"}, true
	case storeFailed(err):
		return verdict{action: actWait, after: min(pace(waits), jitter(maxPause/2, maxPause/2)), reason: "infrastructure"}, true
	case errors.Is(err, fsm.ErrUnavailable), errors.Is(err, broker.ErrDisconnected), errors.Is(err, errDeadLetter),
		errors.Is(err, timer.ErrNotArmed):
		return verdict{action: actWait, after: pace(waits), reason: "infrastructure"}, true
	case api.IsServerFault(err):
		return verdict{action: actWait, after: pace(waits), reason: "bot_api_down"}, true
	case lostAnswer(err):
		return verdict{action: actWait, after: pace(waits), reason: "answer_lost"}, true
	case errors.As(err, &away) && away.RetryAfter > 0:
		return c.wait(jitter(away.RetryAfter, away.RetryAfter/10), "away"), true
	case errors.As(err, &away):
		return verdict{action: actWait, after: pace(waits), reason: "away"}, true
	case errors.Is(err, ErrNoBot):
		return c.wait(c.MaxBackoff, "no_bot"), true
	}
	return verdict{}, false
}

// wait is the verdict to try again later, parked where that is long.
func (c Config) wait(after time.Duration, reason string) verdict {
	return verdict{action: actWait, after: after, park: c.parks(after), reason: reason}
}

// storeFailed tells that the state store itself is broken or away, for other lanes
// too as far as one can tell. A record that this worker cannot read is its lane's alone.
func storeFailed(err error) bool {
	return errors.Is(err, fsm.ErrUnavailable) && !errors.Is(err, fsm.ErrUnreadable)
}

// lostAnswer tells that a call's answer was lost on the way. Where the handler's own
// context ended the call it is the handler's fault, and uses up an attempt.
func lostAnswer(err error) bool {
	var lost *api.TransportError
	return errors.As(err, &lost) && lost.Blameless()
}

// errDeadLetter says that a dead letter could not be stored: the update is held.
var errDeadLetter = errors.New("dead letter not stored")

// blame names the reason of a failure that is the update's or its handler's.
func blame(err error) string {
	var p *bot.PanicError
	switch {
	case errors.As(err, &p):
		return deadletter.ReasonPanic
	case errors.Is(err, ErrDeadline):
		return deadletter.ReasonTimeout
	case errors.Is(err, ErrUndecoded):
		return deadletter.ReasonUndecoded
	case errors.Is(err, ErrCrashed):
		return deadletter.ReasonCrash
	case isRefusal(err):
		return deadletter.ReasonRefused
	}
	return deadletter.ReasonError
}

// hopeless tells that another attempt would end the same way.
func hopeless(err error) bool {
	return errors.Is(err, ErrUndecoded) || errors.Is(err, ErrCrashed) || isRefusal(err)
}

// isRefusal tells that err is a refusal of a call which no later attempt can change:
// the journal would answer the call with it again. It is false where another call failed
// with something that may pass.
func isRefusal(err error) bool {
	final, passing := refusals(err)
	return final && !passing
}

// refusals looks through all that is joined or wrapped in err.
func refusals(err error) (final, passing bool) {
	if err == nil {
		return false, false
	}
	switch e := err.(type) { //nolint:errorlint // each error of the tree is looked at
	case interface{ Final() bool }:
		return e.Final(), !e.Final()
	case interface{ Blameless() bool }:
		return false, e.Blameless()
	case interface{ Unwrap() error }:
		return refusals(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			f, p := refusals(one)
			final, passing = final || f, passing || p
		}
	}
	return final, passing
}

func stackOf(err error) string {
	if p, ok := errors.AsType[*bot.PanicError](err); ok {
		return string(p.Stack)
	}
	return ""
}
