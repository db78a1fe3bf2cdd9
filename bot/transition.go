package bot

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
)

// maxDepth keeps two enter hooks from sending a conversation back and forth for ever.
const maxDepth = 8

// SetState moves the conversation to a state: it runs the old state's leave hooks, sets the new one and its
// timer, and runs the new one's enter hooks. Within a flow the data stays; another flow begins without data
// and history. Setting the same state again runs the enter hooks and restarts the timer. [None] is
// [Turn.Clear]. It fails with ErrNoState if the update has no conversation, with ErrTransition if a table or
// [Route.To] does not allow the move, and with a hook's error.
func (t *Turn) SetState(ctx context.Context, to State) error {
	if to == None {
		return t.Clear(ctx)
	}
	return t.move(ctx, to, move{})
}

// SetStateWith is [Turn.SetState] with the data that the new state begins with, which its enter hooks see.
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

// Back moves to the state before this one in the flow. At the first it fails with ErrTransition.
func (t *Turn) Back(ctx context.Context) error {
	h := t.loadMeta().History
	if len(h) == 0 {
		return fmt.Errorf("back from %q, the first state: %w", t.State(), ErrTransition)
	}
	return t.move(ctx, h[len(h)-1], move{back: true})
}

// Clear ends the conversation: it runs the leave hooks, then removes state, data and timer. At [None] it only
// removes the data.
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

func (t *Turn) arrive(to State, how move) {
	from, m := t.State(), t.loadMeta()
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
	t.saveMeta()
}

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
