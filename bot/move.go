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

// Go moves the conversation to a step: it runs the leave hook of the old one, moves,
// sets the timer, and runs the enter hook of the new one. Within a flow the data
// stays; another flow begins without data and history. To the same step again runs
// the enter hook and sets the timer anew. Nothing is kept unless the turn succeeds.
func (t *Turn) Go(ctx context.Context, to Step) error {
	if to == None {
		return t.Finish(ctx)
	}
	return t.move(ctx, to, move{})
}

// GoWith is Go with the data that the step begins with.
func GoWith[T any](ctx context.Context, t *Turn, to Step, data T) error {
	if to == None {
		return fmt.Errorf("go to no step with data: %w", ErrTransition)
	}
	raw, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("write data of step %q: %w", to, err)
	}
	return t.move(ctx, to, move{data: raw})
}

// Back moves to the step before this one. It fails with ErrTransition at the first.
func (t *Turn) Back(ctx context.Context) error {
	h := t.book().History
	if len(h) == 0 {
		return fmt.Errorf("back from %q, the first step: %w", t.Step(), ErrTransition)
	}
	return t.move(ctx, h[len(h)-1], move{back: true})
}

// Finish ends the conversation: leave hook, then no step, no data, no timer. At no
// step it only clears the data.
func (t *Turn) Finish(ctx context.Context) error {
	if t.p.State == nil {
		return ErrNoState
	}
	if err := t.allowed(None, move{}); err != nil {
		return err
	}
	if err := t.leave(ctx, None); err != nil {
		return err
	}
	t.disarm()
	t.p.State.SetState("")
	t.p.State.SetData(nil)
	t.p.State.SetMeta(nil)
	t.meta = nil
	return nil
}

// move says how a step is changed.
type move struct {
	back bool
	data []byte // nil keeps what there is
}

func (t *Turn) move(ctx context.Context, to Step, how move) error {
	if t.p.State == nil {
		return fmt.Errorf("go to %q: %w", to, ErrNoState)
	}
	if err := t.allowed(to, how); err != nil {
		return err
	}
	if t.depth++; t.depth > maxDepth {
		return fmt.Errorf("go to %q: enter hooks lead on and on: %w", to, ErrTransition)
	}
	defer func() { t.depth-- }()
	if err := t.leave(ctx, to); err != nil {
		return err
	}
	t.arrive(to, how)
	return t.flow(to).entered(ctx, t, to)
}

// leave runs the hook of the step that is left; it may not move.
func (t *Turn) leave(ctx context.Context, to Step) error {
	from := t.Step()
	if from == to || from == None {
		return nil
	}
	if err := t.flow(from).left(ctx, t, from); err != nil {
		return err
	}
	if t.Step() != from {
		return fmt.Errorf("leave hook of %q moved to %q: %w", from, t.Step(), ErrTransition)
	}
	return nil
}

// arrive buffers the new step and what goes with it.
func (t *Turn) arrive(to Step, how move) {
	from, m := t.Step(), t.book()
	switch {
	case from.Flow() != to.Flow() || from == None:
		t.p.State.SetData(nil)
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
		t.p.State.SetData(how.data)
	}
	t.p.State.SetState(string(to))
	t.disarm()
	if d := t.duration(to); d > 0 {
		t.arm(d)
	}
	t.keep()
}

// allowed checks a move against the route's own list and the flow's table.
func (t *Turn) allowed(to Step, how move) error {
	from := t.Step()
	if rt := t.route; rt != nil && t.depth == 0 && len(rt.to) > 0 && !how.back && to != from && !slices.Contains(rt.to, to) {
		return fmt.Errorf("handler goes from %q to %q, but declares %q: %w", from, to, rt.to, ErrTransition)
	}
	if to == None || how.back || t.flow(to).allows(from, to) {
		return nil
	}
	return fmt.Errorf("from %q to %q: %w", from, to, ErrTransition)
}
