package bot

import "context"

// Urgent registers a handler that runs at once, beside the lane: without lock and
// without state, and possibly again after a crash. It may cancel the lane's running
// turn with [Turn.CancelRunning]. The update then takes its ordinary place in the
// lane as well, where an ordinary handler may tidy up.
//
// Guards of its router and of those above hold for it, as far as they ask for no state;
// middleware and error handlers do not: they belong to the turn in the lane.
func (r *Router) Urgent(types Type, h Handler, filters ...Filter) {
	r.mustBeOpen("Urgent")
	r.mustBeGiven("Urgent", h != nil && types&everything != 0)
	mustBeMade(r, filters)
	r.urgent = append(r.urgent, &Route{router: r, types: types, filters: filters, handler: h})
}

// IsUrgent tells whether an urgent handler takes the turn, which needs no state.
func (r *Router) IsUrgent(ctx context.Context, t *Turn) bool { return r.urgentRoute(ctx, t) != nil }

// HasUrgent tells whether any router of the tree has an urgent handler.
func (r *Router) HasUrgent() bool { return len(r.wire().urgent) > 0 }

// UrgentTypes are the update types that urgent handlers of the tree are for.
func (r *Router) UrgentTypes() Type {
	var types Type
	for _, rt := range r.wire().urgent {
		types |= rt.types
	}
	return types
}

// AnswerUrgent runs the first urgent handler that takes the turn, else returns
// ErrUnhandled.
func (r *Router) AnswerUrgent(ctx context.Context, t *Turn) error {
	t.plan = r.wire()
	rt := r.urgentRoute(ctx, t)
	if rt == nil {
		return ErrUnhandled
	}
	return guarded(ctx, t, rt.handler)
}

// reachable tells whether the router and all above it are switched on.
func (r *Router) reachable() bool {
	for up := r; up != nil; up = up.parent {
		if up.off.Load() {
			return false
		}
	}
	return true
}

// admits asks the guards on the way down to the router.
func (r *Router) admits(ctx context.Context, t *Turn) (bool, error) {
	if r.parent != nil {
		if ok, err := r.parent.admits(ctx, t); err != nil || !ok {
			return ok, err
		}
	}
	return r.guarded(ctx, t)
}

// urgentRoute finds the urgent route of an update. A filter that fails or panics
// makes nothing urgent: the lane is the safe place.
func (r *Router) urgentRoute(ctx context.Context, t *Turn) (found *Route) {
	routes := r.wire().urgent
	if len(routes) == 0 {
		return nil
	}
	_ = guarded(ctx, t, func(ctx context.Context, t *Turn) error {
		values := len(t.values)
		for _, rt := range routes {
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
