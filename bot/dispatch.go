package bot

import (
	"context"
	"errors"
	"runtime/debug"
	"time"
)

// Answer runs a turn through the tree. It returns ErrUnhandled if nothing took the update. A panic of a handler,
// filter, middleware, hook or migration becomes a *PanicError. After an error the conversation is as it was.
func (p *Program) Answer(ctx context.Context, t *Turn) error {
	t.program = p
	r, began := p.root, t.snapshot()
	live := false
	err := recovering(ctx, t, func(ctx context.Context, t *Turn) (err error) {
		live, err = t.open(ctx)
		return err
	})
	if err != nil {
		return t.finally(r.rescue(ctx, t, err, began))
	}
	if !live {
		return nil
	}
	err = r.pass(ctx, t)
	if !passed(err) {
		if err != nil {
			t.restore(began)
		}
		return t.finally(err)
	}
	if p.urgentRoute(ctx, t) != nil {
		return nil // its urgent handler has run
	}
	for _, h := range r.unhandled {
		if err := recovering(ctx, t, h); err != nil && !passed(err) {
			t.restore(began)
			return err
		}
	}
	return ErrUnhandled
}

func (r *Router) pass(ctx context.Context, t *Turn) error {
	if r.listens&t.typ == 0 || r.off.Load() {
		return ErrUnhandled
	}
	values, began := len(t.values), t.snapshot()
	err := recovering(ctx, t, r.entry)
	if err == nil {
		return nil
	}
	if passed(err) {
		t.values = t.values[:values]
		return ErrUnhandled
	}
	return r.rescue(ctx, t, err, began)
}

// recovering makes an error of a handler's panic. Each goroutine that runs an author's code needs it: an
// uncaught panic ends the process, and then each worker that the update comes to.
func recovering(ctx context.Context, t *Turn, h Handler) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = Recovered(v)
		}
	}()
	return h(ctx, t)
}

// Recovered makes an error of what recover returned: a *PanicError, or the *UndecodedError that it is.
func Recovered(v any) error {
	if u, ok := v.(*UndecodedError); ok {
		return u
	}
	return &PanicError{Value: v, Stack: debug.Stack()}
}

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

// rescueTime is what error handlers have after a handler exceeded its deadline. It is shorter than the grace
// period after which a pipeline abandons the turn.
const rescueTime = 3 * time.Second

// rescue offers an error to the router's error handlers. Each finds the conversation as before the router.
func (r *Router) rescue(ctx context.Context, t *Turn, err error, began snapshot) error {
	if blameless(err) {
		return err
	}
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded): // the handler's time is over, but not the turn
		own, cancel := context.WithTimeout(context.WithoutCancel(ctx), rescueTime)
		defer cancel()
		ctx = own
	case ctx.Err() != nil:
		return err
	}
	if t.p.Final != nil && t.p.Final(err) {
		t.final, t.p.Last = true, true
	}
	for _, h := range r.rescuers {
		t.restore(began)
		cause := err
		err = recovering(ctx, t, func(ctx context.Context, t *Turn) error { return h(ctx, t, cause) })
		if err == nil {
			return nil
		}
		if passed(err) {
			err = cause
		}
	}
	return err
}

type finalError struct{ error }

func (e *finalError) Unwrap() error { return e.error }

// Final tells the pipeline that no attempt follows.
func (e *finalError) Final() bool { return true }

// finally marks what is left of a final error as final, whatever error handlers made of it.
func (t *Turn) finally(err error) error {
	if err == nil || !t.final {
		return err
	}
	return &finalError{err}
}

type snapshot struct {
	state      string
	data, meta []byte
	timer      Timer
}

func (t *Turn) snapshot() snapshot {
	n := snapshot{timer: t.timer}
	if s := t.p.Session; s != nil {
		n.state, n.data, n.meta = s.State(), s.Data(), s.Meta()
	}
	return n
}

func (t *Turn) restore(n snapshot) {
	t.timer, t.route, t.meta, t.depth = n.timer, nil, nil, 0
	if s := t.p.Session; s != nil {
		s.SetState(n.state)
		s.SetData(n.data)
		s.SetMeta(n.meta)
	}
}
