package bot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// Call makes any call of the Bot API by its name, also one that [Turn.API] does not
// have. It is limited, journalled and traced like those.
func (t *Turn) Call(ctx context.Context, method string, params any) (json.RawMessage, error) {
	if t.p.Call == nil {
		return nil, errors.New("turn has no Bot API")
	}
	return t.p.Call(ctx, method, params)
}

// Once does what is not to be done again when the turn is tried again, such as an
// order at another service. Its result is kept in the turn's journal as JSON, and
// stands for do in later attempts; an error is not kept. Key tells one such operation of a
// turn from another. As with calls of the Bot API one window is left: a crash between
// the end of do and the journal's write.
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
