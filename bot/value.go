package bot

import (
	"context"
	"slices"
)

type value[T any] struct{ v T }

// Put shares a value with all that runs later in this turn, under its type. A
// later value of the same type hides it. What a filter, or a handler that skipped,
// has put is gone when the next handler is tried.
func Put[T any](t *Turn, v T) { t.values = append(t.values, value[T]{v}) }

// Get finds the value of a type that was put last.
func Get[T any](t *Turn) (T, bool) {
	for _, kept := range slices.Backward(t.values) {
		if v, ok := kept.(value[T]); ok {
			return v.v, true
		}
	}
	var none T
	return none, false
}

// With is a filter that always passes and puts v: a note on a handler that its
// inner middleware can [Get].
func With[T any](v T) Filter {
	boxed := any(value[T]{v})
	return Func(func(_ context.Context, t *Turn) (bool, error) {
		t.values = append(t.values, boxed)
		return true, nil
	})
}
