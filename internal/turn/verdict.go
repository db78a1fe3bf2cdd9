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
	"github.com/chatlane/chatlane/internal/telegram/journal"
)

var (
	// ErrDeadline means that a handler took longer than Config.Deadline.
	ErrDeadline = errors.New("handler exceeded its deadline")
	// ErrAbandoned is what the late calls of an abandoned handler get.
	ErrAbandoned = errors.New("handler was abandoned: its turn is over")
	// ErrUndecoded means that the worker could not decode the update.
	ErrUndecoded = errors.New("update could not be decoded")
	// ErrNoBot means that the update's bot is not configured in this worker.
	ErrNoBot = errors.New("bot is not configured in this worker")
)

type action uint8

const (
	actCommit action = iota // commit and acknowledge
	actRetry                // the handler failed: an attempt is used up
	actWait                 // nobody's fault: no attempt is used up
	actDead                 // attempts used up, or no hope from the start
	actLeave                // the partition goes elsewhere: touch nothing more
)

// reasonLimited is the reason of a wait that Telegram, or a limit of ours, asks for.
const reasonLimited = "rate_limited"

type verdict struct {
	action action
	after  time.Duration // before the next attempt
	park   bool          // wait aside, so that the partition's window is free
	reason string        // the metric's label; for actDead the dead letter's reason

	text        string // of the error
	detail      string // more of it, for the dead letter alone: it may quote the update
	stack       string // of its panic
	storeFailed bool
}

// judge decides what err means after so many failed attempts, and waits in a row that were not the
// update's fault. An error whose methods panic, as an author's nil pointer may, counts as that panic.
func (c Config) judge(ctx context.Context, err error, attempts, waits int) (v verdict) {
	if err == nil {
		return verdict{action: actCommit}
	}
	defer func() {
		if p := recover(); p != nil {
			v = c.judge(ctx, recovered(fmt.Sprint(p)), attempts, waits) // as text: p may be such an error too
		}
	}()
	v = c.decide(ctx, err, attempts, waits)
	v.text, v.detail, v.stack, v.storeFailed = err.Error(), detailOf(err), stackOf(err), ctx.Err() == nil && storeFailed(err)
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
	after := max(c.backoff(attempts), floodWait(err), c.brokenWait(err, attempts))
	return verdict{action: actRetry, after: after, park: c.parks(after), reason: reason}
}

// blameless finds errors that are not the update's fault. They use up no attempt, however often they come.
func (c Config) blameless(err error, waits int) (verdict, bool) {
	var no *api.Error
	var away *bot.UnavailableError
	switch {
	case errors.As(err, &no) && no.RetryAfter > 0 && floodWait(err) == 0:
		return c.wait(jitter(no.RetryAfter, no.RetryAfter/10), reasonLimited), true
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
	case errors.Is(err, bot.ErrVersion), errors.Is(err, journal.ErrNewer):
		return c.wait(newerWait, "newer_version"), true
	case errors.Is(err, errServedElsewhere) && waits < 3:
		return verdict{action: actWait, after: jitter(time.Second/2, time.Second/2), reason: "no_bot"}, true
	case errors.Is(err, errServedElsewhere):
		return c.wait(noBotWait, "no_bot"), true
	case errors.Is(err, ErrNoBot):
		return c.wait(noBotPause, "no_bot"), true
	}
	return verdict{}, false
}

// floodWait is the wait of a 429 that uses up an attempt: the handler saw it, and the
// lane does not wait for it, since its chat is not what is limited. Else it is 0.
func floodWait(err error) time.Duration {
	var told *api.FloodError
	if !errors.As(err, &told) || told.Own {
		return 0
	}
	return jitter(told.Refusal.RetryAfter, told.Refusal.RetryAfter/10)
}

// brokenWait is the wait after an answer of the Bot API that could not be read: each attempt may repeat the
// call, so there are few, over some minutes.
func (c Config) brokenWait(err error, attempts int) time.Duration {
	var broken *api.TransportError
	if !errors.As(err, &broken) || !broken.Broken {
		return 0
	}
	return jitter(min(5*time.Second<<(2*min(attempts, 8)), c.MaxBackoff), time.Second)
}

func (c Config) wait(after time.Duration, reason string) verdict {
	return verdict{action: actWait, after: after, park: c.parks(after), reason: reason}
}

// storeFailed says that the store is broken for other lanes too. An unreadable record concerns its lane alone.
func storeFailed(err error) bool {
	return errors.Is(err, fsm.ErrUnavailable) && !errors.Is(err, fsm.ErrUnreadable)
}

// lostAnswer says that a call's answer was lost. A call that the handler's own context ended does not count.
func lostAnswer(err error) bool {
	var lost *api.TransportError
	return errors.As(err, &lost) && lost.Blameless()
}

var errDeadLetter = errors.New("dead letter not stored")

func blame(err error) string {
	var p *bot.PanicError
	switch {
	case errors.As(err, &p):
		return deadletter.ReasonPanic
	case errors.Is(err, ErrDeadline):
		return deadletter.ReasonTimeout
	case errors.Is(err, ErrUndecoded):
		return deadletter.ReasonUndecoded
	case crashed(err):
		return deadletter.ReasonCrash
	case isRefusal(err):
		return deadletter.ReasonRefused
	}
	return deadletter.ReasonError
}

func hopeless(err error) bool {
	return errors.Is(err, ErrUndecoded) || crashed(err) || isRefusal(err)
}

// isRefusal says that no later attempt can change err: the journal would answer the call the same
// way. It is false if another call failed with something that may pass.
func isRefusal(err error) bool {
	final, passing := refusals(err)
	return final && !passing
}

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

// crashed tells that err ended the worker, or a forwarded bot, time and again.
func crashed(err error) bool {
	var bot interface{ Crashed() bool }
	return errors.Is(err, ErrCrashed) || errors.As(err, &bot) && bot.Crashed()
}

func detailOf(err error) string {
	var more interface{ Detail() string }
	if errors.As(err, &more) {
		return more.Detail()
	}
	return ""
}

func stackOf(err error) string {
	if p, ok := errors.AsType[*bot.PanicError](err); ok {
		return string(p.Stack)
	}
	return ""
}

// newerWait is how long a lane waits for a worker of the release that wrote what this one cannot read.
const newerWait = 10 * time.Second
