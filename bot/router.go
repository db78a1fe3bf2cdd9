package bot

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Handler answers one turn. Its context carries the turn's span, and ends at the handler's deadline or when
// the worker loses the lane. It returns nil when done, [ErrSkip] to leave the update to the next handler,
// [ErrUnhandled] to leave it to the next router, and any other error to have the turn tried again.
type Handler func(ctx context.Context, t *Turn) error

// Middleware wraps a handler, once, when the router is compiled. It may act before and after it, or not call it.
type Middleware func(next Handler) Handler

// Router is a named node of a tree of handlers. Wire it on one goroutine, then hand its root to package
// worker or bottest: methods that register panic on wiring mistakes, and once the tree is compiled.
type Router struct {
	name     string
	parent   *Router
	children []*Router
	off      atomic.Bool

	routes    []*Route
	urgent    []*Route
	outer     []layer
	inner     []layer
	guards    []guard
	rescuers  []ErrorHandler
	unhandled []Handler
	gates     []Gate
	calls     []CallMiddleware
	flows     map[string]*Flow
	durations map[State]time.Duration
	begins    []State // of scenes, for graphs
	albums    time.Duration

	entry   Handler // outer middleware around body
	listens Type    // what the subtree has handlers or outer middleware for

	compile  sync.Once
	program  *Program // of the tree that this router is the root of
	mistakes error    // of Compile
	closed   atomic.Bool
}

type layer struct {
	types Type
	wrap  Middleware
}

type guard struct {
	types  Type
	filter Filter
}

// Route is one registered handler.
type Route struct {
	router  *Router
	types   Type
	filters []Filter
	handler Handler
	to      []State
	leads   []State // where it may go without declaring it; for graphs

	run Handler // inner middleware around handler
}

// New makes an empty router. The name appears in graphs and error texts.
func New(name string) *Router { return &Router{name: name} }

// Name is the name that the router was made with.
func (r *Router) Name() string { return r.name }

// On registers a handler for update types. It takes an update if all filters pass and no handler before it
// took it. On panics without a handler or a type.
func (r *Router) On(types Type, h Handler, filters ...Filter) *Route {
	r.mustBeOpen("On")
	if h == nil || types&everything == 0 {
		panic(fmt.Sprintf("bot: router %q: On wants a handler and an update type", r.name))
	}
	mustBeMade(r, filters)
	route := &Route{router: r, types: types & everything, filters: filters, handler: h}
	r.routes = append(r.routes, route)
	return route
}

// Message registers a handler for new messages.
func (r *Router) Message(h Handler, filters ...Filter) *Route { return r.On(Message, h, filters...) }

// Callback registers a handler for pressed inline buttons.
func (r *Router) Callback(h Handler, filters ...Filter) *Route {
	return r.On(CallbackQuery, h, filters...)
}

// To declares the states that the handler may set, for the graph and as a check: another one fails with
// ErrTransition. [None] is the end of the conversation.
func (rt *Route) To(states ...State) *Route {
	rt.router.mustBeOpen("To")
	rt.to = append(rt.to, states...)
	return rt
}

// Guard lets only updates that pass all filters into this router and its children. Timeouts pass, since the
// update that began the conversation has passed; [Router.GuardOn] can guard them too.
func (r *Router) Guard(filters ...Filter) { r.GuardOn(AnyUpdate, filters...) }

// GuardOn is [Router.Guard] for some update types.
func (r *Router) GuardOn(types Type, filters ...Filter) {
	r.mustBeOpen("Guard")
	mustBeMade(r, filters)
	for _, f := range filters {
		r.guards = append(r.guards, guard{types, f})
	}
}

// Outer adds middleware around this router and its children, for these update types or all. It runs before
// the guards, whether or not a handler takes the update.
func (r *Router) Outer(mw Middleware, types ...Type) {
	r.mustBeOpen("Outer")
	r.mustBeGiven("Outer", mw != nil)
	r.outer = append(r.outer, layer{union(types), mw})
}

// Inner adds middleware around each handler of this router and its children, for these update types or all.
// It runs after the handler's filters have passed.
func (r *Router) Inner(mw Middleware, types ...Type) {
	r.mustBeOpen("Inner")
	r.mustBeGiven("Inner", mw != nil)
	r.inner = append(r.inner, layer{union(types), mw})
}

func union(types []Type) Type {
	if len(types) == 0 {
		return everything
	}
	var all Type
	for _, t := range types {
		all |= t
	}
	return all
}

// Include attaches routers below this one, tried in this order after its own handlers. It panics if a router
// has a parent already, or would include itself.
func (r *Router) Include(children ...*Router) {
	r.mustBeOpen("Include")
	for _, c := range children {
		if c.parent != nil {
			panic(fmt.Sprintf("bot: router %q is included in %q already", c.name, c.parent.name))
		}
		for up := r; up != nil; up = up.parent {
			if up == c {
				panic(fmt.Sprintf("bot: router %q would include itself", c.name))
			}
		}
		c.mustBeOpen("Include")
		c.parent = r
		r.children = append(r.children, c)
	}
}

// SetEnabled switches the router and its children on or off in this process. Safe for concurrent use. A new
// router is on.
func (r *Router) SetEnabled(on bool) { r.off.Store(!on) }

// Enabled reports whether the router is switched on.
func (r *Router) Enabled() bool { return !r.off.Load() }

// Calls adds middleware around every Bot API call that a turn makes, in any router.
func (r *Router) Calls(mw CallMiddleware) {
	r.mustBeOpen("Calls")
	r.mustBeGiven("Calls", mw != nil)
	r.calls = append(r.calls, mw)
}

// Albums gathers the messages of a media group into one turn, which begins when wait has passed since the
// first; [Turn.Album] lists them. A later part has a turn of its own. Only the album's lane waits. 0, the
// default, gathers none; the longest wait in the tree counts.
func (r *Router) Albums(wait time.Duration) {
	r.mustBeOpen("Albums")
	r.albums = wait
}

// AllowedUpdates lists the update types that the tree has handlers for, as setWebhook and getUpdates take them.
func (r *Router) AllowedUpdates() []string {
	var types Type
	r.walk(func(r *Router) {
		for _, rt := range r.routes {
			types |= rt.types
		}
		for _, rt := range r.urgent {
			types |= rt.types
		}
	})
	return (types & knownTypes).Names()
}

func (r *Router) walk(visit func(*Router)) {
	visit(r)
	for _, c := range r.children {
		c.walk(visit)
	}
}

func mustBeMade(r *Router, filters []Filter) {
	for i, f := range filters {
		if f.match == nil {
			panic(fmt.Sprintf("bot: router %q: filter %d is empty", r.name, i+1))
		}
	}
}

func (r *Router) mustBeGiven(what string, given bool) {
	if !given {
		panic(fmt.Sprintf("bot: router %q: %s wants a function, and of an update type that there is", r.name, what))
	}
}

func (r *Router) mustBeOpen(what string) {
	if r.closed.Load() {
		panic(fmt.Sprintf("bot: router %q is in use: %s comes too late", r.name, what))
	}
}
