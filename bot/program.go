package bot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Program is a checked and closed tree of routers: what a pipeline runs. Authors hand their [Router] to
// package worker or bottest, which compile it. Safe for concurrent use.
type Program struct {
	root      *Router
	flows     map[string]*Flow
	durations map[State]time.Duration
	urgent    []*Route
	gates     []gateAt
	calls     []callsAt
	albums    time.Duration
}

type gateAt struct {
	router *Router
	gate   Gate
}

type callsAt struct {
	router *Router
	wrap   CallMiddleware
}

// Compile checks the tree below this router, which must be its root, and closes it: from then on the methods that
// register panic. It returns all mistakes that only the whole tree shows, joined: a flow that two routers declare,
// a state with two timeouts, a hook for unhandled updates below the root. A second call gives the same.
func (r *Router) Compile() (*Program, error) {
	if r.parent != nil {
		return nil, fmt.Errorf("router %q is included in %q: only a root can be compiled", r.name, r.parent.name)
	}
	r.compile.Do(func() {
		p := &Program{root: r, flows: map[string]*Flow{}, durations: map[State]time.Duration{}}
		var mistakes []error
		r.walk(func(n *Router) { mistakes = append(mistakes, p.join(n)...) })
		r.link(nil)
		r.program, r.mistakes = p, errors.Join(mistakes...)
	})
	if r.mistakes != nil {
		return nil, r.mistakes
	}
	return r.program, nil
}

func (p *Program) join(r *Router) (mistakes []error) {
	r.closed.Store(true)
	for name, f := range r.flows {
		if p.flows[name] != nil {
			mistakes = append(mistakes, fmt.Errorf("flow %q is declared by two routers, one is %q", name, r.name))
		}
		p.flows[name] = f
	}
	for state, d := range r.durations {
		if _, twice := p.durations[state]; twice {
			mistakes = append(mistakes, fmt.Errorf("state %q has two timeouts, one of router %q", state, r.name))
		}
		p.durations[state] = d
	}
	if r.parent != nil && len(r.unhandled) > 0 {
		mistakes = append(mistakes, fmt.Errorf("router %q has a hook for unhandled updates, and is included in %q: only the root's is called", r.name, r.parent.name))
	}
	p.urgent = append(p.urgent, r.urgent...)
	for _, g := range r.gates {
		p.gates = append(p.gates, gateAt{r, g})
	}
	for _, mw := range r.calls {
		p.calls = append(p.calls, callsAt{r, mw})
	}
	p.albums = max(p.albums, r.albums)
	return mistakes
}

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
	return func(ctx context.Context, t *Turn) error {
		if l.types&t.typ != 0 {
			return wrapped(ctx, t)
		}
		return next(ctx, t)
	}
}

// AlbumWait is the longest wait of [Router.Albums] in the tree; 0 gathers no albums.
func (p *Program) AlbumWait() time.Duration { return p.albums }

// WrapCalls wraps call in the call middleware of all enabled routers, outermost first. Pipelines ask once for
// each turn. If a middleware panics, all calls fail with a *PanicError.
func (p *Program) WrapCalls(call CallFunc) (wrapped CallFunc) {
	defer func() {
		if v := recover(); v != nil {
			err := Recovered(v)
			wrapped = func(context.Context, string, json.RawMessage) (json.RawMessage, error) { return nil, err }
		}
	}()
	for _, at := range slices.Backward(p.calls) {
		if at.router.reachable() {
			call = at.wrap(call)
		}
	}
	return call
}

// Timer is what a turn leaves to do about its conversation's timer. The zero value is nothing.
type Timer struct {
	// After is the time from the commit to a new timer that bears Token, which is the same at every attempt.
	// 0 arms none.
	After time.Duration
	Token string
	// Cancel means that the conversation has no timer any more.
	Cancel bool
	// Former is the token of an earlier turn's timer, to be cancelled after the commit.
	Former string
	// Late means that the turn was a timeout of a state that was left: nothing was done.
	Late bool
}

// Timer is what to do about the conversation's timer. A pipeline asks after Answer.
func (p *Program) Timer(t *Turn) Timer {
	timer := t.timer
	if timer.Former == timer.Token {
		timer.Former = "" // the same update again, such as a dead letter that was replayed twice
	}
	timer.Late = t.late
	return timer
}
