package bot

import (
	"context"
	"encoding/json"
	"time"
)

// Glance is what is known of an update before its turn: the envelope.
type Glance struct {
	Bot      int64
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
type Gate func(ctx context.Context, g Glance) error

// Before adds a gate: the place for bans and throttling. Gates have no state and
// cannot answer; an update that is dropped is counted and gone.
func (r *Router) Before(g Gate) {
	r.mustBeOpen("Before")
	r.gates = append(r.gates, g)
}

// Admit asks all gates of the tree, parents first, and returns the first refusal.
func (r *Router) Admit(ctx context.Context, g Glance) error {
	for _, gate := range r.wire().gates {
		if err := gate(ctx, g); err != nil {
			return err
		}
	}
	return nil
}
