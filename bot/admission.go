package bot

import (
	"context"
	"encoding/json"
	"time"
)

// Envelope is what is known of an update before its turn.
type Envelope struct {
	Bot      int64
	Update   int64  // its id; 0 for a timeout
	Type     string // the Bot API's name
	Chat     int64  // 0 where there is none
	User     int64  // 0 where there is none
	Thread   int64  // forum topic; 0 outside of one
	Received time.Time
	Raw      json.RawMessage
}

// Gate decides on an update before its lock is taken and its state loaded. It returns nil to let it pass,
// ErrDropped (also wrapped) to refuse it for good, any other error to have it tried again. It may run
// concurrently.
type Gate func(ctx context.Context, e Envelope) error

// Before adds a gate: the place for bans and throttling. Gates have no state and cannot answer. An update
// that a gate drops is counted and never handled. Timeouts pass. A panic counts as an error.
func (r *Router) Before(g Gate) {
	r.mustBeOpen("Before")
	r.mustBeGiven("Before", g != nil)
	r.gates = append(r.gates, g)
}

// Admit asks the gates of all enabled routers, parents first, and returns the first refusal.
func (p *Program) Admit(ctx context.Context, e Envelope) (err error) {
	if len(p.gates) == 0 || TypeOf(e.Type) == Timeout {
		return nil
	}
	if TypeOf(e.Type) == ChatJoinRequest {
		e.Chat = requestChat(e.Raw)
	}
	defer func() {
		if v := recover(); v != nil {
			err = Recovered(v)
		}
	}()
	for _, at := range p.gates {
		if !at.router.reachable() {
			continue
		}
		if err := at.gate(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// Urgent registers a handler that runs as soon as the update arrives, in parallel with the lane: without lock
// and state, and again if the worker crashes meanwhile. It may cancel the lane's running turn with
// [Turn.CancelRunning]. The update then has its ordinary turn in the lane as well.
//
// Guards of the router and of those above hold for it, as far as they ask for no state. Middleware and error
// handlers do not: they belong to the turn in the lane.
func (r *Router) Urgent(types Type, h Handler, filters ...Filter) {
	r.mustBeOpen("Urgent")
	r.mustBeGiven("Urgent", h != nil && types&everything != 0)
	mustBeMade(r, filters)
	r.urgent = append(r.urgent, &Route{router: r, types: types, filters: filters, handler: h})
}

// UrgentTypes are the update types that have urgent handlers.
func (p *Program) UrgentTypes() (types Type) {
	for _, rt := range p.urgent {
		types |= rt.types
	}
	return types
}

// IsUrgent reports whether an urgent handler takes the turn, which needs no state.
func (p *Program) IsUrgent(ctx context.Context, t *Turn) bool { return p.urgentRoute(ctx, t) != nil }

// AnswerUrgent runs the first urgent handler that takes the turn. It returns ErrUnhandled if none does, and a
// *PanicError if the handler panics.
func (p *Program) AnswerUrgent(ctx context.Context, t *Turn) error {
	t.program = p
	rt := p.urgentRoute(ctx, t)
	if rt == nil {
		return ErrUnhandled
	}
	return recovering(ctx, t, rt.handler)
}

// urgentRoute takes an update as not urgent if a filter fails or panics: the lane is the safe place.
func (p *Program) urgentRoute(ctx context.Context, t *Turn) (found *Route) {
	if len(p.urgent) == 0 {
		return nil
	}
	_ = recovering(ctx, t, func(ctx context.Context, t *Turn) error {
		values := len(t.values)
		for _, rt := range p.urgent {
			t.values = t.values[:values]
			if rt.types&t.typ == 0 || !rt.router.reachable() {
				continue
			}
			if ok, err := rt.router.admits(ctx, t); err != nil || !ok {
				continue
			}
			if ok, err := rt.matches(ctx, t); err == nil && ok {
				found = rt
				return nil
			}
		}
		return nil
	})
	return found
}

func (r *Router) reachable() bool {
	for up := r; up != nil; up = up.parent {
		if up.off.Load() {
			return false
		}
	}
	return true
}

func (r *Router) admits(ctx context.Context, t *Turn) (bool, error) {
	if r.parent != nil {
		if ok, err := r.parent.admits(ctx, t); err != nil || !ok {
			return ok, err
		}
	}
	return r.guarded(ctx, t)
}
