package bot

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/chatlane/chatlane/internal/telegram/rules"
)

func (g Graph) flows() []string {
	var names []string
	for _, s := range g.States {
		if !slices.Contains(names, s.Flow()) {
			names = append(names, s.Flow())
		}
	}
	return names
}

// Write writes the graph as "mermaid" or "dot", and refuses other formats.
func (g Graph) Write(w io.Writer, format string) error {
	switch format {
	case "mermaid":
		return g.WriteMermaid(w)
	case "dot":
		return g.WriteDOT(w)
	}
	return fmt.Errorf("%q is no format of graphs; want mermaid or dot", format)
}

// WriteMermaid writes a Mermaid state diagram.
func (g Graph) WriteMermaid(w io.Writer) error {
	var b strings.Builder
	node := func(s State) string {
		if s == None {
			return "[*]"
		}
		return word(s)
	}
	fmt.Fprintf(&b, "---\ntitle: %s\n---\nstateDiagram-v2\n", quoted(g.Name))
	for _, flow := range g.flows() {
		indent := "    "
		if flow != "" {
			fmt.Fprintf(&b, "    state %s as flow_%[2]s\n    state flow_%[2]s {\n", quoted(flow), word(State(flow)))
			indent = "        "
		}
		for _, s := range g.States {
			if s.Flow() == flow {
				fmt.Fprintf(&b, "%sstate %s as %s\n", indent, quoted(string(s)), word(s))
			}
		}
		if flow != "" {
			b.WriteString("    }\n")
		}
	}
	for _, e := range g.Edges {
		fmt.Fprintf(&b, "    %s --> %s", node(e.From), node(e.To))
		if e.Label != "" {
			fmt.Fprintf(&b, ": %s", mermaidText(e.Label))
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteDOT writes a Graphviz digraph.
func (g Graph) WriteDOT(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "digraph %s {\n    rankdir=LR;\n    node [shape=box, style=rounded];\n", quoted(g.Name))
	b.WriteString("    begin [shape=point];\n    end [shape=doublecircle, label=\"\"];\n")
	for i, flow := range g.flows() {
		fmt.Fprintf(&b, "    subgraph cluster_%d {\n        label=%s;\n", i, quoted(flow))
		for _, s := range g.States {
			if s.Flow() == flow {
				fmt.Fprintf(&b, "        %s;\n", quoted(string(s)))
			}
		}
		b.WriteString("    }\n")
	}
	for _, e := range g.Edges {
		from, to := quoted(string(e.From)), quoted(string(e.To))
		if e.From == None {
			from = "begin"
		}
		if e.To == None {
			to = "end"
		}
		fmt.Fprintf(&b, "    %s -> %s", from, to)
		if e.Label != "" {
			fmt.Fprintf(&b, " [label=%s]", quoted(e.Label))
		}
		b.WriteString(";\n")
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func word(s State) string {
	return strings.Map(func(r rune) rune {
		if r < 0x80 && rules.IsWord(r) {
			return r
		}
		return '_'
	}, string(s))
}

func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", " ").Replace(s) + `"`
}

func mermaidText(s string) string {
	return strings.NewReplacer("\n", " ", ";", "#59;", ":", "#58;", "\"", "#34;").Replace(s)
}
