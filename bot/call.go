package bot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// CallFunc makes one call of the Bot API and returns the result.
type CallFunc func(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error)

// CallMiddleware wraps Bot API calls, anew for each turn. What it returns must be safe for concurrent use:
// [ShowAction] calls in parallel with the handler.
type CallMiddleware func(next CallFunc) CallFunc

// Call calls a Bot API method by name, for methods that [Turn.API] does not have. Params is anything that
// encodes as JSON. The call is limited, journaled and traced like any other.
func (t *Turn) Call(ctx context.Context, method string, params any) (json.RawMessage, error) {
	if t.p.Call == nil {
		return nil, errors.New("turn has no Bot API")
	}
	return t.p.Call(ctx, method, params)
}

// Once runs do, such as an order at another service, until it has succeeded once over all attempts of a turn.
// The turn's journal keeps the result as JSON for later attempts; after an error do runs again. Each Once of
// a turn needs its own key. One window is left: after a crash between the end of do and the journal's write,
// do runs again.
func Once[R any](ctx context.Context, t *Turn, key string, do func(ctx context.Context) (R, error)) (R, error) {
	var result R
	if t.p.Once == nil {
		return do(ctx)
	}
	raw, err := t.p.Once(ctx, key, func(ctx context.Context) (json.RawMessage, error) {
		fresh, err := do(ctx)
		if err != nil {
			return nil, err
		}
		return json.Marshal(fresh)
	})
	if err != nil {
		return result, err
	}
	if err := json.Unmarshal(raw, &result); err != nil {
		return result, fmt.Errorf("read result of %q from the journal: %w", key, err)
	}
	return result, nil
}

// ErrMaybeSent means that a call under [AtMostOnce] may have had its effect, and is not made again.
var ErrMaybeSent = errors.New("may have been sent")

type onceKey struct{}

// AtMostOnce makes a context under which a Bot API call that may have had its effect fails with ErrMaybeSent
// instead of being repeated. Without it, a call whose answer was lost is made again: a message that comes
// twice is better than none.
func AtMostOnce(ctx context.Context) context.Context { return context.WithValue(ctx, onceKey{}, true) }

// IsAtMostOnce reports whether a call is under [AtMostOnce].
func IsAtMostOnce(ctx context.Context) bool {
	once, _ := ctx.Value(onceKey{}).(bool)
	return once
}

type bulkKey struct{}

// Bulk makes a context under which messages count as bulk, such as an announcement to all users: together, over all
// workers, they stay under the figures that Telegram publishes for bulk messages, and they always go behind
// replies. Replies need none of that. A call waits for its turn for a minute at most, so send within the handler's
// deadline as many as fit, and go on in a later turn.
func Bulk(ctx context.Context) context.Context { return context.WithValue(ctx, bulkKey{}, true) }

// IsBulk reports that a call is under [Bulk].
func IsBulk(ctx context.Context) bool {
	bulk, _ := ctx.Value(bulkKey{}).(bool)
	return bulk
}
