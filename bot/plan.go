package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// plan is what a tree of routers comes to, once it is wired.
type plan struct {
	flows     map[string]*Flow
	durations map[State]time.Duration
	urgent    []*Route
	gates     []gateAt
}

// wire closes the tree and builds its chains, once.
func (r *Router) wire() *plan {
	r.compile.Do(func() {
		if r.parent != nil {
			panic(fmt.Sprintf("bot: router %q is included in %q: only a root answers", r.name, r.parent.name))
		}
		r.plan = &plan{flows: map[string]*Flow{}, durations: map[State]time.Duration{}}
		r.walk(func(n *Router) { n.join(r.plan) })
		r.link(nil)
	})
	return r.plan
}

// join adds what a router says about the whole tree.
func (r *Router) join(p *plan) {
	r.wired.Store(true)
	for name, f := range r.flows {
		if p.flows[name] != nil {
			panic(fmt.Sprintf("bot: flow %q is declared by two routers", name))
		}
		p.flows[name] = f
	}
	for state, d := range r.durations {
		if _, twice := p.durations[state]; twice {
			panic(fmt.Sprintf("bot: state %q has two timeouts", state))
		}
		p.durations[state] = d
	}
	p.urgent = append(p.urgent, r.urgent...)
	for _, g := range r.gates {
		p.gates = append(p.gates, gateAt{r, g})
	}
	if r.parent != nil && len(r.unhandled) > 0 {
		panic(fmt.Sprintf("bot: router %q has a hook for unhandled updates, and is included in %q: only a root knows what nobody took", r.name, r.parent.name))
	}
}

// link builds the chains of a subtree; inner is the inner middleware from above.
func (r *Router) link(inner []layer) {
	inner = append(slices.Clip(inner), r.inner...)
	for _, rt := range r.routes {
		rt.run = chain(inner, rt.handler)
		r.listens |= rt.types
	}
	for _, l := range r.outer {
		r.listens |= l.types
	}
	for _, c := range r.children {
		c.link(inner)
		r.listens |= c.listens
	}
	r.entry = chain(r.outer, r.body)
}

// chain wraps h, the first layer outermost. A layer for other types is passed by.
func chain(layers []layer, h Handler) Handler {
	for _, l := range slices.Backward(layers) {
		h = l.around(h)
	}
	return h
}

func (l layer) around(next Handler) Handler {
	wrapped := l.wrap(next)
	if l.types == everything {
		return wrapped
	}
	return only(l.types, wrapped, next)
}

// only runs wrapped for some types, and goes past it for others.
func only(types Type, wrapped, next Handler) Handler {
	return func(ctx context.Context, t *Turn) error {
		if types&t.typ != 0 {
			return wrapped(ctx, t)
		}
		return next(ctx, t)
	}
}

func isSkip(err error) bool { return errors.Is(err, ErrSkip) }
