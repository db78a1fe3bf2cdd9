package bot

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
)

// maxDepth bounds moves that enter hooks make, so that two hooks cannot send a
// conversation back and forth for ever.
const maxDepth = 8

// SetState moves the conversation to a state: it runs the leave hook of the old one, moves,
// sets the timer, and runs the enter hook of the new one. Within a flow the data
// stays; another flow begins without data and history. To the same state again runs
// the enter hook and sets the timer anew. Nothing is kept unless the turn succeeds.
func (t *Turn) SetState(ctx context.Context, to State) error {
	if to == None {
		return t.Clear(ctx)
	}
	return t.move(ctx, to, move{})
}

// SetStateWith is [Turn.SetState] with the data that the state begins with.
func SetStateWith[T any](ctx context.Context, t *Turn, to State, data T) error {
	if to == None {
		return fmt.Errorf("set no state with data: %w", ErrTransition)
	}
	raw, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("write data of state %q: %w", to, err)
	}
	return t.move(ctx, to, move{data: raw})
}

// Back moves to the state before this one. It fails with ErrTransition at the first.
func (t *Turn) Back(ctx context.Context) error {
	h := t.book().History
	if len(h) == 0 {
		return fmt.Errorf("back from %q, the first state: %w", t.State(), ErrTransition)
	}
	return t.move(ctx, h[len(h)-1], move{back: true})
}

// Clear ends the conversation: leave hook, then no state, no data, no timer. At no
// state it only clears the data.
func (t *Turn) Clear(ctx context.Context) error {
	if t.p.Session == nil {
		return ErrNoState
	}
	if err := t.allowed(None, move{}); err != nil {
		return err
	}
	if err := t.leave(ctx, None); err != nil {
		return err
	}
	t.disarm()
	t.p.Session.SetState("")
	t.p.Session.SetData(nil)
	t.p.Session.SetMeta(nil)
	t.meta = nil
	return nil
}

// move says how a state is changed.
type move struct {
	back bool
	data []byte // nil keeps what there is
}

func (t *Turn) move(ctx context.Context, to State, how move) error {
	if t.p.Session == nil {
		return fmt.Errorf("set state %q: %w", to, ErrNoState)
	}
	if err := t.allowed(to, how); err != nil {
		return err
	}
	if t.depth++; t.depth > maxDepth {
		return fmt.Errorf("set state %q: enter hooks lead on and on: %w", to, ErrTransition)
	}
	defer func() { t.depth-- }()
	if err := t.leave(ctx, to); err != nil {
		return err
	}
	t.arrive(to, how)
	return t.flow(to).entered(ctx, t, to)
}

// leave runs the hook of the state that is left; it may not move.
func (t *Turn) leave(ctx context.Context, to State) error {
	from := t.State()
	if from == to || from == None {
		return nil
	}
	if err := t.flow(from).left(ctx, t, from); err != nil {
		return err
	}
	if t.State() != from {
		return fmt.Errorf("leave hook of %q moved to %q: %w", from, t.State(), ErrTransition)
	}
	return nil
}

// arrive buffers the new state and what goes with it.
func (t *Turn) arrive(to State, how move) {
	from, m := t.State(), t.book()
	switch {
	case from.Flow() != to.Flow() || from == None:
		t.p.Session.SetData(nil)
		m.History, m.Version = nil, t.flow(to).version()
	case how.back:
		m.History = m.History[:len(m.History)-1]
	case from != to:
		m.History = append(m.History, from)
		if over := len(m.History) - keptHistory; over > 0 {
			m.History = slices.Delete(m.History, 0, over)
		}
	}
	if how.data != nil {
		t.p.Session.SetData(how.data)
	}
	t.p.Session.SetState(string(to))
	t.disarm()
	if d := t.duration(to); d > 0 {
		t.arm(d)
	}
	t.keep()
}

// allowed checks a move against the route's own list and the flow's table.
func (t *Turn) allowed(to State, how move) error {
	from := t.State()
	if rt := t.route; rt != nil && t.depth == 0 && len(rt.to) > 0 && !how.back && to != from && !slices.Contains(rt.to, to) {
		return fmt.Errorf("handler goes from %q to %q, but declares %q: %w", from, to, rt.to, ErrTransition)
	}
	if to == None || how.back || t.flow(to).allows(from, to) {
		return nil
	}
	return fmt.Errorf("from %q to %q: %w", from, to, ErrTransition)
}
