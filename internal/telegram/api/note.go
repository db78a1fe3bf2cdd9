package api

import (
	"context"
	"encoding/json"
	"fmt"

	ta "github.com/mymmrac/telego/telegoapi"
)

// Once runs a step that is no Bot API call but is journaled like one: a later attempt gets the result of an
// earlier one that succeeded.
func (c *Calls) Once(
	ctx context.Context, key string, do func(context.Context) (json.RawMessage, error),
) (json.RawMessage, error) {
	ctx, leave, err := c.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if c.journal.Store == nil {
		return do(ctx)
	}
	return c.journal.Step(ctx, key, do)
}

// Form is a call's parameters as a multipart form, with its files.
type Form struct {
	Fields map[string]string
	Files  map[string]ta.NamedReader
}

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
