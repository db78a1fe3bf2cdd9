package bot

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// What callers and handlers branch on with errors.Is.
var (
	// ErrUnhandled means that no handler took the update. A handler that returns it leaves the update to its
	// router's children, then to the routers after it.
	ErrUnhandled = errors.New("no handler for the update")
	// ErrSkip is returned by a handler that leaves the update to the next handler.
	ErrSkip = errors.New("skipped to the next handler")
	// ErrDropped is returned by a [Gate] that refuses an update for good.
	ErrDropped = errors.New("update dropped before its turn")
	// ErrCancelled is the cause of the context of a turn that [Turn.CancelRunning] cancelled.
	ErrCancelled = errors.New("turn cancelled by an urgent update")
	// ErrNoState means that the update, such as a poll, belongs to no conversation.
	ErrNoState = errors.New("update has no conversation state")
	// ErrNoChat means that the update has no chat to answer in.
	ErrNoChat = errors.New("update has no chat to answer in")
	// ErrTransition means that a table or a route does not allow the new state.
	ErrTransition = errors.New("transition is not allowed")
	// ErrVersion means that stored data has a newer schema version than the flow.
	ErrVersion = errors.New("conversation has another schema version")
)

// PanicError is a panic of a handler, filter, hook, migration or middleware.
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

// UnavailableError means that a database or service which a handler needs does not answer. The turn is tried
// again and uses up no attempt.
type UnavailableError struct {
	RetryAfter time.Duration // wait before the next attempt; 0 leaves it to the worker
	Err        error
}

// Error is the cause's text.
func (e *UnavailableError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *UnavailableError) Unwrap() error { return e.Err }

// Blameless marks the error as one that error handlers do not see.
func (e *UnavailableError) Blameless() bool { return true }

func passed(err error) bool { return errors.Is(err, ErrUnhandled) || errors.Is(err, ErrSkip) }

// blameless: err is no fault of the bot's, such as a rate limit or a lost lock. Error handlers do not see it,
// since the turn is tried again.
func blameless(err error) bool {
	var b interface{ Blameless() bool }
	return errors.As(err, &b) && b.Blameless()
}
func isSkip(err error) bool { return errors.Is(err, ErrSkip) }

// ErrorHandler handles the error of a turn. If it returns nil, the turn commits what the error handler has
// changed. Its error goes to the next error handler and then to the router above.
type ErrorHandler func(ctx context.Context, t *Turn, err error) error

// OnError adds an error handler for this router and its children. It runs under the turn's lock, after the
// failed handler's changes are undone. It does not see errors that are no fault of the bot's, such as rate
// limits: those turns are tried again.
func (r *Router) OnError(h ErrorHandler) {
	r.mustBeOpen("OnError")
	r.mustBeGiven("OnError", h != nil)
	r.rescuers = append(r.rescuers, h)
}

// OnErrorAs adds an error handler for errors of one type, found with errors.As.
func OnErrorAs[E error](r *Router, h func(ctx context.Context, t *Turn, err E) error) {
	r.OnError(func(ctx context.Context, t *Turn, err error) error {
		var typed E
		if !errors.As(err, &typed) {
			return err
		}
		return h(ctx, t, typed)
	})
}

// OnErrorIs adds an error handler for errors that match target with errors.Is.
func (r *Router) OnErrorIs(target error, h ErrorHandler) {
	r.OnError(func(ctx context.Context, t *Turn, err error) error {
		if !errors.Is(err, target) {
			return err
		}
		return h(ctx, t, err)
	})
}

// OnUnhandled adds a hook of the root router for updates that no handler took; they count as unhandled all
// the same. [Router.Compile] refuses it on an included router.
func (r *Router) OnUnhandled(h Handler) {
	r.mustBeOpen("OnUnhandled")
	r.mustBeGiven("OnUnhandled", h != nil)
	r.unhandled = append(r.unhandled, h)
}
