package journal

import (
	"context"
	"encoding/json"
	"errors"
)

const stepMethod = "\x00once"

var errStep = errors.New("result of a step must be JSON")

// Step runs do until it succeeds once over all attempts of a turn; later attempts get the recorded result.
// The result must be JSON.
func (j *Journal) Step(
	ctx context.Context, key string, do func(context.Context) (json.RawMessage, error),
) (json.RawMessage, error) {
	d := DigestOf(stepMethod, []byte(key), nil)
	s := j.Begin(d)
	if s.Err != nil {
		return nil, s.Err
	}
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
	return result, j.Record(ctx, s, Entry{Digest: d, Status: Result, Name: key, Step: true, Result: result})
}
