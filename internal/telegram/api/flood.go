package api

import (
	"errors"
	"time"
)

// FloodWait is the default of how long a wait a lane makes without telling its handler.
const FloodWait = 3 * time.Minute

// FloodError is a 429 that the handler and its error handlers see, unlike one that the
// lane waits for without a word.
type FloodError struct {
	Refusal *Error
	Own     bool // the call sends into the lane's own chat: the lane waits all the same
	Long    bool // no lane waits that long for anything else
}

// TellFlood makes a FloodError of a 429 whose wait is longer than most, or longer than
// inPlace for a call that sends nothing into chat. Other errors stay as they are.
func TellFlood(err error, chat int64, inPlace, most time.Duration) error {
	no, ok := errors.AsType[*Error](err)
	if !ok || no.RetryAfter == 0 {
		return err
	}
	own, long := no.Into != 0 && no.Into == chat, no.RetryAfter > most
	if !long && (own || no.RetryAfter <= inPlace) {
		return err
	}
	return &FloodError{Refusal: no, Own: own, Long: long}
}

func (e *FloodError) Error() string { return e.Refusal.Error() }

func (e *FloodError) Unwrap() error { return e.Refusal }

// Blameless is false: error handlers see the wait.
func (e *FloodError) Blameless() bool { return false }

// Final tells that no attempt follows: none could come in time.
func (e *FloodError) Final() bool { return e.Long && !e.Own }
