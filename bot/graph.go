package bot

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
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

// flows groups the steps by flow, in order.
func (g Graph) flows() []string {
	var names []string
	for _, s := range g.Steps {
		if !slices.Contains(names, s.Flow()) {
			names = append(names, s.Flow())
		}
	}
	return names
}

// WriteMermaid writes a state diagram for Mermaid.
func (g Graph) WriteMermaid(w io.Writer) error {
	b := bufio.NewWriter(w)
	node := func(s Step) string {
		if s == None {
			return "[*]"
		}
		return word(s)
	}
	fmt.Fprintf(b, "---\ntitle: %s\n---\nstateDiagram-v2\n", quoted(g.Name))
	for _, s := range g.Steps {
		fmt.Fprintf(b, "    state %s as %s\n", quoted(string(s)), word(s))
	}
	for _, flow := range g.flows() {
		if flow == "" {
			continue
		}
		id := "flow_" + word(Step(flow))
		fmt.Fprintf(b, "    state %s as %s\n    state %s {\n", quoted(flow), id, id)
		for _, s := range g.Steps {
			if s.Flow() == flow {
				fmt.Fprintf(b, "        %s\n", word(s))
			}
		}
		fmt.Fprintf(b, "    }\n")
	}
	for _, e := range g.Edges {
		fmt.Fprintf(b, "    %s --> %s", node(e.From), node(e.To))
		if e.Label != "" {
			fmt.Fprintf(b, ": %s", mermaidText(e.Label))
		}
		fmt.Fprintln(b)
	}
	return b.Flush()
}

// WriteDOT writes a digraph for Graphviz.
func (g Graph) WriteDOT(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "digraph %s {\n    rankdir=LR;\n    node [shape=box, style=rounded];\n", quoted(g.Name))
	fmt.Fprintf(b, "    begin [shape=point];\n    end [shape=doublecircle, label=\"\"];\n")
	for i, flow := range g.flows() {
		fmt.Fprintf(b, "    subgraph cluster_%d {\n        label=%s;\n", i, quoted(flow))
		for _, s := range g.Steps {
			if s.Flow() == flow {
				fmt.Fprintf(b, "        %s;\n", quoted(string(s)))
			}
		}
		fmt.Fprintf(b, "    }\n")
	}
	for _, e := range g.Edges {
		from, to := quoted(string(e.From)), quoted(string(e.To))
		if e.From == None {
			from = "begin"
		}
		if e.To == None {
			to = "end"
		}
		fmt.Fprintf(b, "    %s -> %s", from, to)
		if e.Label != "" {
			fmt.Fprintf(b, " [label=%s]", quoted(e.Label))
		}
		fmt.Fprintf(b, ";\n")
	}
	fmt.Fprintf(b, "}\n")
	return b.Flush()
}

// word is a step's name as an identifier of Mermaid's.
func word(s Step) string {
	return strings.Map(func(r rune) rune {
		if r < 0x80 && isWord(r) {
			return r
		}
		return '_'
	}, string(s))
}

func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", " ").Replace(s) + `"`
}

// mermaidText takes out what would end a label.
func mermaidText(s string) string {
	return strings.NewReplacer("\n", " ", ";", "#59;", ":", "#58;", "\"", "#34;").Replace(s)
}
