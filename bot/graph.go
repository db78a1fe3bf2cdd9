package bot

import (
	"cmp"
	"slices"
	"strings"
)

// Graph is the states that a tree of routers names (in filters, hooks, tables, timeouts and [Route.To]), and
// the transitions between them.
type Graph struct {
	Name   string
	States []State
	Edges  []Edge
}

// Edge is a transition. [None] is where conversations begin and end.
type Edge struct {
	From, To State
	Label    string // its trigger: a command, a text, a time; may be empty
}

// Graph draws the tree, with the transitions that [Route.To] declares or a table allows.
func (r *Router) Graph() Graph {
	d := draft{states: map[State]bool{}, edges: map[Edge]bool{}}
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
	for e := range d.edges { // an edge with a label needs no twin without
		if e.Label != "" {
			delete(d.edges, Edge{From: e.From, To: e.To})
		}
	}
	return Graph{Name: r.name, States: sorted(d.states, cmp.Compare), Edges: sorted(d.edges, compareEdges)}
}

type draft struct {
	states map[State]bool
	edges  map[Edge]bool
}

func (d *draft) mention(states ...State) {
	for _, s := range states {
		if s != None && !strings.HasSuffix(string(s), string(anyState)) {
			d.states[s] = true
		}
	}
}

func (d *draft) flow(f *Flow) {
	for _, h := range slices.Concat(f.enter, f.leave) {
		d.mention(h.states...)
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

func (rt *Route) from() []State {
	states := statesOf(rt.filters)
	for up := rt.router; up != nil; up = up.parent {
		for _, g := range up.guards {
			if g.types&rt.types != 0 {
				states = intersect(states, g.filter.states)
			}
		}
	}
	return states
}

func statesOf(filters []Filter) (states []State) {
	for _, f := range filters {
		states = intersect(states, f.states)
	}
	return states
}

func anyOf(filters []Filter) (states []State) {
	for _, f := range filters {
		if f.states == nil {
			return nil
		}
		states = append(states, f.states...)
	}
	return states
}

func intersect(a, b []State) []State {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	both := []State{}
	add := func(from, within []State) {
		for _, s := range from {
			if !slices.Contains(both, s) && slices.ContainsFunc(within, func(w State) bool { return covers(w, s) }) {
				both = append(both, s)
			}
		}
	}
	add(a, b)
	add(b, a)
	return both
}

func covers(w, s State) bool {
	return w == s || w == anyState && s != None || strings.HasSuffix(string(w), ":"+string(anyState)) && inFlow(s, w.Flow())
}

func (d *draft) expand(states []State) []State {
	if states == nil {
		return []State{None}
	}
	var all []State
	for _, s := range states {
		if !strings.HasSuffix(string(s), string(anyState)) {
			all = append(all, s)
			continue
		}
		for known := range d.states {
			if s == anyState || inFlow(known, s.Flow()) {
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
