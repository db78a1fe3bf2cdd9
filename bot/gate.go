package bot

import (
	"context"
	"encoding/json"
	"runtime/debug"
	"time"
)

// Envelope is what is known of an update before its turn.
type Envelope struct {
	Bot      int64
	Update   int64  // its id
	Type     string // the Bot API's name
	Chat     int64
	User     int64
	Thread   int64
	Received time.Time
	Raw      json.RawMessage
}

// Gate decides on an update before its lock is taken and its state is loaded. It
// returns nil to let it pass, ErrDropped (also wrapped) to refuse it for good, any
// other error to have it tried again. It may run concurrently.
type Gate func(ctx context.Context, g Envelope) error

// Before adds a gate: the place for bans and throttling. Gates have no state and
// cannot answer; an update that is dropped is counted and gone. Timeouts pass, since
// nobody sent them. A panic is an error like any other.
func (r *Router) Before(g Gate) {
	r.mustBeOpen("Before")
	r.mustBeGiven("Before", g != nil)
	r.gates = append(r.gates, g)
}

// Admit asks the gates of all routers that are switched on, parents first, and returns
// the first refusal. For pipelines.
func (r *Router) Admit(ctx context.Context, g Envelope) (err error) {
	gates := r.wire().gates
	if len(gates) == 0 || TypeOf(g.Type) == Timeout {
		return nil
	}
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	for _, at := range gates {
		if !at.router.reachable() {
			continue
		}
		if err := at.gate(ctx, g); err != nil {
			return err
		}
	}
	return nil
}

// gateAt is a gate, and the router that it belongs to.
type gateAt struct {
	router *Router
	gate   Gate
}
