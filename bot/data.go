package bot

import (
	"encoding/json"
	"fmt"
)

// Data reads the conversation's data as a T; zero if there is none yet. Entering
// another flow, and finishing one, clears it.
func Data[T any](t *Turn) (T, error) {
	var v T
	if t.p.State == nil {
		return v, ErrNoState
	}
	raw := t.p.State.Data()
	if len(raw) == 0 {
		return v, nil
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return v, fmt.Errorf("read data of step %q as %T: %w", t.Step(), v, err)
	}
	return v, nil
}

// SetData replaces the conversation's data.
func SetData[T any](t *Turn, v T) error {
	if t.p.State == nil {
		return ErrNoState
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write data of step %q: %w", t.Step(), err)
	}
	t.p.State.SetData(raw)
	return nil
}

// Change reads the data, changes it, sets it, and returns it.
func Change[T any](t *Turn, change func(data *T)) (T, error) {
	v, err := Data[T](t)
	if err != nil {
		return v, err
	}
	change(&v)
	return v, SetData(t, v)
}
