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
			d.mention(stepsOf(rt.filters)...)
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
		for _, from := range d.expand(stepsOf(rt.filters)) {
			d.edges[Edge{From: from, To: to, Label: labelOf(rt.filters)}] = true
		}
	}
}

// expand lists the steps that a route starts from; one that asks for none starts
// outside.
func (d *draft) expand(steps []Step) []Step {
	if len(steps) == 0 {
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
