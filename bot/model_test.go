package bot_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/chatlane/chatlane/bot"
)

// node is a router of the model.
type node struct {
	name     string
	outer    int
	inner    int
	guards   []bool
	handlers []modelHandler
	children []*node
}

type modelHandler struct {
	filters []bool
	result  error // nil, ErrSkip or ErrUnhandled
}

// play is aiogram's propagate_event and trigger, as its source has them: outer
// middleware around guards, handlers with filters and inner middleware, then the
// sub-routers.
func (n *node) play(tr *trace, inner []string) error {
	for i := range n.outer {
		tr.add(fmt.Sprintf("%s.outer%d", n.name, i))
	}
	err := n.trigger(tr, inner)
	for i := range n.outer {
		tr.add(fmt.Sprintf("/%s.outer%d", n.name, n.outer-1-i))
	}
	return err
}

func (n *node) trigger(tr *trace, inner []string) error {
	for i, passes := range n.guards {
		tr.add(fmt.Sprintf("%s.guard%d?", n.name, i))
		if !passes {
			return bot.ErrUnhandled // REJECTED: sub-routers are not asked
		}
	}
	inner = slices.Clone(inner)
	for i := range n.inner {
		inner = append(inner, fmt.Sprintf("%s.inner%d", n.name, i))
	}
	for i, h := range n.handlers {
		name := fmt.Sprintf("%s.%d", n.name, i)
		if !h.passes(tr, name) {
			continue
		}
		for _, mw := range inner {
			tr.add(mw)
		}
		tr.add(name)
		for _, mw := range slices.Backward(inner) {
			tr.add("/" + mw)
		}
		if h.result == nil {
			return nil
		}
		if errors.Is(h.result, bot.ErrUnhandled) {
			break
		}
	}
	for _, c := range n.children {
		if err := c.play(tr, inner); err == nil {
			return nil
		}
	}
	return bot.ErrUnhandled
}

func (h modelHandler) passes(tr *trace, name string) bool {
	for i, passes := range h.filters {
		tr.add(fmt.Sprintf("%s.f%d?", name, i))
		if !passes {
			return false
		}
	}
	return true
}

// wire builds the router that the node is a model of.
func (n *node) wire(tr *trace) *bot.Router {
	r := bot.New(n.name)
	for i := range n.outer {
		r.Outer(tr.middleware(fmt.Sprintf("%s.outer%d", n.name, i)))
	}
	for i := range n.inner {
		r.Inner(tr.middleware(fmt.Sprintf("%s.inner%d", n.name, i)))
	}
	for i, passes := range n.guards {
		r.Guard(tr.filter(fmt.Sprintf("%s.guard%d", n.name, i), passes))
	}
	for i, h := range n.handlers {
		name := fmt.Sprintf("%s.%d", n.name, i)
		var filters []bot.Filter
		for j, passes := range h.filters {
			filters = append(filters, tr.filter(fmt.Sprintf("%s.f%d", name, j), passes))
		}
		r.Message(tr.handler(name, h.result), filters...)
	}
	for _, c := range n.children {
		r.Include(c.wire(tr))
	}
	return r
}

// draw makes a random tree. Filters pass more often than not, handlers mostly skip,
// so that turns get deep into the tree.
func draw(rt *rapid.T, name string, depth int) *node {
	n := &node{name: name, outer: rapid.IntRange(0, 2).Draw(rt, "outer"), inner: rapid.IntRange(0, 2).Draw(rt, "inner")}
	passes := rapid.SampledFrom([]bool{true, true, true, false})
	n.guards = rapid.SliceOfN(passes, 0, 2).Draw(rt, "guards")
	results := rapid.SampledFrom([]error{nil, bot.ErrSkip, bot.ErrSkip, bot.ErrSkip, bot.ErrUnhandled})
	for range rapid.IntRange(0, 3).Draw(rt, "handlers") {
		n.handlers = append(n.handlers, modelHandler{
			filters: rapid.SliceOfN(passes, 0, 3).Draw(rt, "filters"), result: results.Draw(rt, "result"),
		})
	}
	if depth > 0 {
		for i := range rapid.IntRange(0, 3).Draw(rt, "children") {
			n.children = append(n.children, draw(rt, fmt.Sprintf("%s%d", name, i), depth-1))
		}
	}
	return n
}

// TestOrderIsThatOfAiogram compares random trees with a model of aiogram's rules.
func TestOrderIsThatOfAiogram(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		tree := draw(rt, "r", 2)
		var want, got trace
		wantErr := tree.play(&want, nil)
		gotErr := compiled(t, tree.wire(&got)).Answer(t.Context(), message("hi"))
		// A subtree that has neither handlers nor outer middleware is not entered here,
		// so its guards are not asked: nothing but the question itself is missing.
		if diff := cmp.Diff(prune(want, tree), prune(got, tree), cmpopts.EquateEmpty()); diff != "" || errors.Is(gotErr, bot.ErrUnhandled) != (wantErr != nil) {
			rt.Fatalf("error %v, want %v, trace (-want +got):\n%s", gotErr, wantErr, diff)
		}
	})
}

// prune takes out the guards of routers below which nothing listens.
func prune(tr trace, n *node) trace {
	if !n.listens() {
		tr = slices.DeleteFunc(slices.Clone(tr), func(s string) bool { return strings.HasPrefix(s, n.name+".guard") })
	}
	for _, c := range n.children {
		tr = prune(tr, c)
	}
	return tr
}

func (n *node) listens() bool {
	return n.outer > 0 || len(n.handlers) > 0 || slices.ContainsFunc(n.children, (*node).listens)
}
