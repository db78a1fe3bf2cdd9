package journal

import (
	"context"
	"encoding/json"
	"errors"
)

// stepMethod stands for the method in the digest of a step. No method has such a name.
const stepMethod = "\x00once"

// errStep refuses a result that no later attempt could read.
var errStep = errors.New("result of a step must be JSON")

// Step runs do once over all attempts of a turn: if it succeeded in an earlier one,
// its recorded result is returned instead.
func (j *Journal) Step(
	ctx context.Context, key string, do func(context.Context) (json.RawMessage, error),
) (json.RawMessage, error) {
	d := DigestOf(stepMethod, []byte(key), nil)
	s := j.Begin(d)
	if s.Found && s.Old.Status == Result {
		return s.Old.Result, nil
	}
	result, err := do(ctx)
	switch {
	case err != nil:
		return nil, err
	case !json.Valid(result):
		return nil, errStep
	}
	return result, j.Record(ctx, s, Entry{Digest: d, Status: Result, Result: result})
}
