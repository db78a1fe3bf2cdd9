package telegram

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	ta "github.com/mymmrac/telego/telegoapi"
)

// noteMethod stands for the method in the digest of a step that is no call. No method
// has such a name.
const noteMethod = "\x00once"

// errNote says that a step's result cannot be kept.
var errNote = errors.New("result of a step must be JSON")

// Once is a step of the turn that is no call of the Bot API, but is journaled like
// one: if it succeeded in an earlier attempt, its result is what the journal has.
func (c *Calls) Once(
	ctx context.Context, key string, do func(context.Context) (json.RawMessage, error),
) (json.RawMessage, error) {
	ctx, leave, err := c.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if c.replay.journal == nil {
		return do(ctx)
	}
	d := request{method: noteMethod, params: json.RawMessage(key)}.digest()
	s := c.replay.begin(d)
	if s.diverged {
		c.client.metrics.divergences.Inc()
	}
	if s.found && s.old.status == statusResult {
		c.client.metrics.replays.Inc()
		return s.old.result, nil
	}
	result, err := do(ctx)
	switch {
	case err != nil:
		return nil, err
	case !json.Valid(result):
		return nil, errNote
	}
	return result, c.record(ctx, s, entry{digest: d, status: statusResult, result: result})
}

// Form is the parameters of a call as a form has them, with its files.
type Form struct {
	Fields map[string]string
	Files  map[string]ta.NamedReader
}

// form makes a call of a form. Without files it goes out as JSON.
func (c *Calls) form(ctx context.Context, method string, f Form) (json.RawMessage, error) {
	files, err := collect(f.Files, c.client.cfg.MaxUpload)
	if err != nil {
		return nil, fmt.Errorf("telegram %s: %w", c.client.metrics.label(method), err)
	}
	raw, err := view(f.Fields, files)
	if err != nil {
		return nil, fmt.Errorf("telegram %s: %w", c.client.metrics.label(method), err)
	}
	if len(files.parts) == 0 {
		return c.call(ctx, method, raw)
	}
	return c.chain(files)(ctx, method, raw)
}
