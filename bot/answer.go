package bot

import (
	"context"
	"runtime/debug"
)

// Answer runs a turn through the tree that this router is the root of. It returns
// ErrUnhandled where nothing took the update. A panic becomes a *PanicError.
func (r *Router) Answer(ctx context.Context, t *Turn) error {
	t.plan = r.wire()
	began := t.note()
	live := false
	err := guarded(ctx, t, func(ctx context.Context, t *Turn) (err error) {
		live, err = t.open(ctx)
		return err
	})
	if err != nil {
		return r.rescue(ctx, t, err, began)
	}
	if !live {
		return nil
	}
	err = r.pass(ctx, t)
	if !passed(err) {
		if err != nil {
			t.restore(began)
		}
		return err
	}
	if r.urgentRoute(ctx, t) != nil {
		return nil // its handler ran beside the lane
	}
	for _, h := range r.unhandled {
		if err := guarded(ctx, t, h); err != nil && !passed(err) {
			t.restore(began)
			return err
		}
	}
	return ErrUnhandled
}

// pass runs one router with all below it, and its error handlers.
func (r *Router) pass(ctx context.Context, t *Turn) error {
	if r.listens&t.typ == 0 || r.off.Load() {
		return ErrUnhandled
	}
	values, began := len(t.values), t.note()
	err := guarded(ctx, t, r.entry)
	if err == nil {
		return nil
	}
	if passed(err) {
		t.values = t.values[:values]
		return ErrUnhandled
	}
	return r.rescue(ctx, t, err, began)
}

// guarded runs a handler and makes an error of its panic.
func guarded(ctx context.Context, t *Turn, h Handler) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return h(ctx, t)
}

// body is what outer middleware goes around: guards, handlers, children.
func (r *Router) body(ctx context.Context, t *Turn) error {
	if ok, err := r.guarded(ctx, t); err != nil || !ok {
		return orUnhandled(err)
	}
	if taken, err := r.handle(ctx, t); taken {
		return err
	}
	for _, c := range r.children {
		if err := c.pass(ctx, t); err == nil || !passed(err) {
			return err
		}
	}
	return ErrUnhandled
}

// guarded asks the router's own guards.
func (r *Router) guarded(ctx context.Context, t *Turn) (bool, error) {
	for i := range r.guards {
		g := &r.guards[i]
		if g.types&t.typ == 0 {
			continue
		}
		if ok, err := g.filter.match(ctx, t); err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

// handle tries the router's own handlers.
func (r *Router) handle(ctx context.Context, t *Turn) (taken bool, err error) {
	values := len(t.values)
	for _, rt := range r.routes {
		if rt.types&t.typ == 0 {
			continue
		}
		ok, err := rt.matches(ctx, t)
		if err != nil {
			return true, err
		}
		if ok {
			t.route = rt
			err = rt.run(ctx, t)
			t.route = nil
			switch {
			case err == nil || !passed(err):
				return true, err
			case !isSkip(err):
				t.values = t.values[:values]
				return false, nil
			}
		}
		t.values = t.values[:values]
	}
	return false, nil
}

func (rt *Route) matches(ctx context.Context, t *Turn) (bool, error) {
	for i := range rt.filters {
		if ok, err := rt.filters[i].match(ctx, t); err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

func orUnhandled(err error) error {
	if err == nil {
		return ErrUnhandled
	}
	return err
}
