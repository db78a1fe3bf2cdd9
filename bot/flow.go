package bot

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
)

// Flow declares what the states of one flow share: hooks, allowed transitions, the data's version. A flow
// without these need not be declared.
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

// Migration turns state and data of an older schema version into current ones. From is 0 for data from before
// [Flow.Version]. It may run again for the same conversation, so it must have no other effects.
type Migration func(from int, state State, data json.RawMessage) (State, json.RawMessage, error)

// Flow declares a flow of this router, or returns the one declared before. [Router.Compile] refuses a flow
// that two routers declare. It panics on an empty name.
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

// OnEnter adds a hook that runs after a conversation has come to one of these states of the flow; without
// states, to any. It may set another state.
func (f *Flow) OnEnter(h Handler, states ...State) {
	f.mustOwn("OnEnter", states)
	f.enter = append(f.enter, hook{states, h})
}

// OnLeave adds a hook that runs before a conversation leaves one of these states of the flow; without states,
// any. It must not set a state.
func (f *Flow) OnLeave(h Handler, states ...State) {
	f.mustOwn("OnLeave", states)
	f.leave = append(f.leave, hook{states, h})
}

// Allow adds a line to the flow's table of transitions. Once the table has a line, a conversation moves
// within the flow only as it says; once it has lines from [None], only those enter the flow. [Turn.Back],
// [Turn.Clear] and leaving for another flow are always allowed.
func (f *Flow) Allow(from State, to ...State) *Flow {
	f.mustOwn("Allow", to)
	if from != None {
		f.mustOwn("Allow", []State{from})
	}
	f.table[from] = append(f.table[from], to...)
	return f
}

// Version numbers the schema of the flow's data, from 1. A conversation stored under an older number is migrated
// when its next turn begins. One with a newer number, as after a roll-back, fails its turns with
// ErrVersion: they wait for a worker that knows it, unless an error handler takes the error.
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

// run stops at a hook that sets another state.
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

func (f *Flow) migrate(t *Turn) error {
	m := t.loadMeta()
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
	t.saveMeta()
	return nil
}
