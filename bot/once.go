package bot

import (
	"context"
	"errors"
)

// ErrMaybeSent says that a call under [AtMostOnce] may have had its effect, and is
// not made again.
var ErrMaybeSent = errors.New("may have been sent")

type onceKey struct{}

// AtMostOnce has calls of the Bot API under ctx never made again once they may have
// had their effect: they fail with ErrMaybeSent instead. Without it, a call whose
// answer was lost is made again, since who waits for an answer is worse off than who
// reads it twice.
func AtMostOnce(ctx context.Context) context.Context { return context.WithValue(ctx, onceKey{}, true) }

// IsAtMostOnce tells call middleware that a call is under [AtMostOnce].
func IsAtMostOnce(ctx context.Context) bool {
	once, _ := ctx.Value(onceKey{}).(bool)
	return once
}
