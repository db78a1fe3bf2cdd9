package bot

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
)

// Flow says what holds for all states of one name: hooks, allowed transitions, the
// version of the data. A flow that needs none of these need not be declared.
type Flow struct {
	router *Router
	name   string
	enter  []hook
	leave  []hook
	table  map[State][]State
	schema int
	lift   Migration
}

type hook struct {
	states []State // none: every state
	run    Handler
}

// Migration brings a conversation from an older schema version to the current one.
type Migration func(from int, state State, data json.RawMessage) (State, json.RawMessage, error)

// Flow declares a flow of this router, or gives the one declared before.
func (r *Router) Flow(name string) *Flow {
	r.mustBeOpen("Flow")
	if name == "" {
		panic(fmt.Sprintf("bot: router %q: a flow wants a name", r.name))
	}
	if r.flows == nil {
		r.flows = map[string]*Flow{}
	}
	if r.flows[name] == nil {
		r.flows[name] = &Flow{router: r, name: name, table: map[State][]State{}}
	}
	return r.flows[name]
}

// OnEnter adds a hook that runs after a conversation has moved to one of these states
// of the flow; to any, if none is named. It may move on.
func (f *Flow) OnEnter(h Handler, states ...State) {
	f.mustOwn("OnEnter", states)
	f.enter = append(f.enter, hook{states, h})
}

// OnLeave adds a hook that runs before a conversation leaves one of these states of
// the flow; any, if none is named. It may not move.
func (f *Flow) OnLeave(h Handler, states ...State) {
	f.mustOwn("OnLeave", states)
	f.leave = append(f.leave, hook{states, h})
}

// Allow adds a line to the table of transitions, which holds once it has a line: a
// conversation may then move within the flow only as the table says, and enter it
// only as the lines from [None] say, if there are any. Going back, leaving and
// finishing are always allowed.
func (f *Flow) Allow(from State, to ...State) *Flow {
	f.mustOwn("Allow", to)
	if from != None {
		f.mustOwn("Allow", []State{from})
	}
	f.table[from] = append(f.table[from], to...)
	return f
}

// Version numbers the schema of the flow's data, from 1. A conversation that was
// kept under an older number is brought up by migrate when its next turn begins.
func (f *Flow) Version(n int, migrate Migration) *Flow {
	f.router.mustBeOpen("Version")
	if n < 1 || migrate == nil {
		panic(fmt.Sprintf("bot: flow %q: Version wants a number from 1 and a migration", f.name))
	}
	f.schema, f.lift = n, migrate
	return f
}

func (f *Flow) mustOwn(what string, states []State) {
	f.router.mustBeOpen(what)
	for _, s := range states {
		if s.Flow() != f.name {
			panic(fmt.Sprintf("bot: flow %q: %s of state %q, which is of flow %q", f.name, what, s, s.Flow()))
		}
	}
}

// flow finds the declaration of a state's flow; nil is one that says nothing.
func (t *Turn) flow(s State) *Flow {
	if t.program == nil {
		return nil
	}
	return t.program.flows[s.Flow()]
}

func (f *Flow) entered(ctx context.Context, t *Turn, s State) error {
	if f == nil {
		return nil
	}
	return run(ctx, t, f.enter, s)
}

func (f *Flow) left(ctx context.Context, t *Turn, s State) error {
	if f == nil {
		return nil
	}
	return run(ctx, t, f.leave, s)
}

// run calls the hooks for a state, until one of them has moved on.
func run(ctx context.Context, t *Turn, hooks []hook, s State) error {
	for _, h := range hooks {
		if len(h.states) > 0 && !slices.Contains(h.states, s) {
			continue
		}
		if err := h.run(ctx, t); err != nil {
			return err
		}
		if t.State() != s {
			return nil
		}
	}
	return nil
}

func (f *Flow) allows(from, to State) bool {
	if f == nil || len(f.table) == 0 {
		return true
	}
	if from.Flow() == f.name {
		return from == to || slices.Contains(f.table[from], to)
	}
	entries, limited := f.table[None]
	return !limited || slices.Contains(entries, to)
}

func (f *Flow) version() int {
	if f == nil {
		return 0
	}
	return f.schema
}

// migrate brings kept data up to the flow's version.
func (f *Flow) migrate(t *Turn) error {
	m := t.book()
	if m.Version == f.version() {
		return nil
	}
	if m.Version > f.version() {
		return fmt.Errorf("flow of state %q is kept in version %d, known is %d: %w", t.State(), m.Version, f.version(), ErrVersion)
	}
	state, data, err := f.lift(m.Version, t.State(), t.p.Session.Data())
	if err != nil {
		return fmt.Errorf("migrate state %q from version %d to %d: %w", t.State(), m.Version, f.schema, err)
	}
	t.p.Session.SetState(string(state))
	t.p.Session.SetData(data)
	m.Version = f.schema
	t.keep()
	return nil
}
