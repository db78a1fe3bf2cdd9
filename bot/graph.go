package bot

import (
	"cmp"
	"slices"
	"strings"
)

// Graph is what a tree of routers says about its steps: those that filters, hooks,
// tables, timeouts and [Route.To] name, and the ways between them.
type Graph struct {
	Name  string
	Steps []Step
	Edges []Edge
}

// Edge is a way from one step to another. [None] is the outside of all flows, where
// conversations begin and end.
type Edge struct {
	From, To Step
	Label    string // what leads there: a command, a text, a time; may be empty
}

// Graph draws the tree. Ways that no route declares with [Route.To], and no table
// allows, are not in it.
func (r *Router) Graph() Graph {
	d := draft{steps: map[Step]bool{}, edges: map[Edge]bool{}}
	r.walk(func(n *Router) {
		for _, rt := range n.routes {
			d.mention(rt.from()...)
			d.mention(rt.to...)
			d.mention(rt.leads...)
		}
		for _, f := range n.flows {
			d.flow(f)
		}
		for _, s := range n.begins {
			d.edges[Edge{From: None, To: s}] = true
		}
	})
	r.walk(func(n *Router) {
		for _, rt := range n.routes {
			d.route(rt)
		}
	})
	for e := range d.edges { // a way with a name needs no nameless twin
		if e.Label != "" {
			delete(d.edges, Edge{From: e.From, To: e.To})
		}
	}
	return Graph{Name: r.name, Steps: sorted(d.steps, cmp.Compare), Edges: sorted(d.edges, compareEdges)}
}

// draft gathers a graph.
type draft struct {
	steps map[Step]bool
	edges map[Edge]bool
}

func (d *draft) mention(steps ...Step) {
	for _, s := range steps {
		if s != None && !strings.HasSuffix(string(s), string(anyStep)) {
			d.steps[s] = true
		}
	}
}

func (d *draft) flow(f *Flow) {
	for _, h := range slices.Concat(f.enter, f.leave) {
		d.mention(h.steps...)
	}
	for from, to := range f.table {
		d.mention(from)
		d.mention(to...)
		for _, s := range to {
			d.edges[Edge{From: from, To: s}] = true
		}
	}
}

func (d *draft) route(rt *Route) {
	for _, to := range slices.Concat(rt.to, rt.leads) {
		for _, from := range d.expand(rt.from()) {
			d.edges[Edge{From: from, To: to, Label: labelOf(rt.filters)}] = true
		}
	}
}

// from are the steps that a route starts from, by its filters and by the guards of its
// router and of those above; nil if none of them asks for a step.
func (rt *Route) from() []Step {
	steps := stepsOf(rt.filters)
	for up := rt.router; up != nil; up = up.parent {
		for _, g := range up.guards {
			if g.types&rt.types != 0 {
				steps = meet(steps, g.filter.steps)
			}
		}
	}
	return steps
}

// stepsOf are the steps at which all filters may pass.
func stepsOf(filters []Filter) (steps []Step) {
	for _, f := range filters {
		steps = meet(steps, f.steps)
	}
	return steps
}

// anyOf are the steps at which one of the filters may pass.
func anyOf(filters []Filter) (steps []Step) {
	for _, f := range filters {
		if f.steps == nil {
			return nil
		}
		steps = append(steps, f.steps...)
	}
	return steps
}

// meet are the steps that are in both; nil stands for all and for none at all.
func meet(a, b []Step) []Step {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	both := []Step{}
	add := func(from, within []Step) {
		for _, s := range from {
			if !slices.Contains(both, s) && slices.ContainsFunc(within, func(w Step) bool { return covers(w, s) }) {
				both = append(both, s)
			}
		}
	}
	add(a, b)
	add(b, a)
	return both
}

// covers tells whether s is w, or one of the steps that w stands for.
func covers(w, s Step) bool {
	return w == s || w == anyStep && s != None || strings.HasSuffix(string(w), ":"+string(anyStep)) && inFlow(s, w.Flow())
}

// expand lists the steps that a route starts from; one that asks for none starts
// outside.
func (d *draft) expand(steps []Step) []Step {
	if steps == nil {
		return []Step{None}
	}
	var all []Step
	for _, s := range steps {
		if !strings.HasSuffix(string(s), string(anyStep)) {
			all = append(all, s)
			continue
		}
		for known := range d.steps {
			if s == anyStep || inFlow(known, s.Flow()) {
				all = append(all, known)
			}
		}
	}
	return all
}

func sorted[T comparable](set map[T]bool, compare func(a, b T) int) []T {
	all := make([]T, 0, len(set))
	for v := range set {
		all = append(all, v)
	}
	slices.SortFunc(all, compare)
	return all
}

func compareEdges(a, b Edge) int {
	return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.Label, b.Label))
}
