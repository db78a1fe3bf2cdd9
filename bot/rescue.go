package bot

import (
	"context"
	"errors"
)

// ErrorHandler looks at the error of a turn. It returns nil when the matter is
// settled, and the turn commits what the error handler itself has changed; or an
// error, which goes on to the next error handler and then to the router above.
type ErrorHandler func(ctx context.Context, t *Turn, err error) error

// OnError adds an error handler for this router and its children. It runs inside
// the turn's lock. What the failed handler changed is undone before. It does not see
// errors that are nobody's fault, such as rate limits: those turns are tried again.
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

// OnUnhandled adds a hook of the root router that sees updates which nobody took.
// They count as unhandled all the same. An included router that has one is refused
// by [Router.Compile].
func (r *Router) OnUnhandled(h Handler) {
	r.mustBeOpen("OnUnhandled")
	r.mustBeGiven("OnUnhandled", h != nil)
	r.unhandled = append(r.unhandled, h)
}
