package bot

import (
	"encoding/json"
	"fmt"
)

// Data reads the conversation's data as a T; zero if there is none yet. Entering
// another flow, and finishing one, clears it.
func Data[T any](t *Turn) (T, error) {
	var v T
	if t.p.Session == nil {
		return v, ErrNoState
	}
	raw := t.p.Session.Data()
	if len(raw) == 0 {
		return v, nil
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return v, fmt.Errorf("read data of state %q as %T: %w", t.State(), v, err)
	}
	return v, nil
}

// SetData replaces the conversation's data.
func SetData[T any](t *Turn, v T) error {
	if t.p.Session == nil {
		return ErrNoState
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write data of state %q: %w", t.State(), err)
	}
	t.p.Session.SetData(raw)
	return nil
}

// UpdateData reads the data, changes it, sets it, and returns it.
func UpdateData[T any](t *Turn, change func(data *T)) (T, error) {
	v, err := Data[T](t)
	if err != nil {
		return v, err
	}
	change(&v)
	return v, SetData(t, v)
}
