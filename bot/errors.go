package bot

import (
	"errors"
	"fmt"
	"time"
)

// What callers and handlers branch on with errors.Is.
var (
	// ErrUnhandled says that no handler wanted the update. A handler that returns
	// it leaves the update to the children of its router, then to the routers after it.
	ErrUnhandled = errors.New("no handler for the update")
	// ErrSkip is returned by a handler that leaves the update to the next handler.
	ErrSkip = errors.New("skipped to the next handler")
	// ErrDropped is returned by a [Gate] that refuses an update for good.
	ErrDropped = errors.New("update dropped before its turn")
	// ErrCancelled is why the context of a turn ended that an urgent handler
	// cancelled, see [Turn.CancelRunning].
	ErrCancelled = errors.New("turn cancelled by an urgent update")
	// ErrNoState says that the update belongs to no conversation, as a poll does.
	ErrNoState = errors.New("update has no conversation state")
	// ErrNoChat says that the update has no chat to answer in.
	ErrNoChat = errors.New("update has no chat to answer in")
	// ErrTransition says that a table or a route does not allow this move.
	ErrTransition = errors.New("transition is not allowed")
	// ErrVersion says that kept data is of a schema version that cannot be read here.
	ErrVersion = errors.New("conversation has another schema version")
)

// PanicError is what a panic in a handler, filter or middleware becomes.
type PanicError struct {
	Value any
	Stack []byte
}

// Error gives the panic's value without the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap gives the error that was panicked with, if it was one.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// UnavailableError says that something which a handler needs is away, through no fault of the
// update: a database, another service. The turn is tried again and uses up no attempt.
type UnavailableError struct {
	RetryAfter time.Duration // when to look again; 0 leaves it to the pipeline
	Err        error
}

// Error gives the cause.
func (e *UnavailableError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *UnavailableError) Unwrap() error { return e.Err }

// Blameless has the error go past error handlers.
func (e *UnavailableError) Blameless() bool { return true }

// passed tells that err leaves the update to whoever comes next.
func passed(err error) bool { return errors.Is(err, ErrUnhandled) || errors.Is(err, ErrSkip) }

// blameless tells that err is no fault of the bot's: a rate limit, a lost lock. Such
// an error marks itself with Blameless() bool, and goes past error handlers, because
// the turn is tried again.
func blameless(err error) bool {
	var b interface{ Blameless() bool }
	return errors.As(err, &b) && b.Blameless()
}
func isSkip(err error) bool { return errors.Is(err, ErrSkip) }
