package queue

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/propagation"
)

// Delivery is an update in the hands of the owner of its partition.
type Delivery struct {
	Update
	Seq    uint64    // stream sequence: the order of the lane
	Stream int64     // creation time of the stream, Unix nanoseconds: its identity
	Stored time.Time // by the broker's clock
	// Inherited says that an earlier owner may have had the update, and begun it.
	Inherited bool

	work     context.Context //nolint:containedctx // the life of the term that it came to
	arrived  time.Time       // local, with the monotonic reading
	aged     time.Duration   // age at arrival, by the broker's clock alone
	header   nats.Header
	ack      func() error
	behind   func(ctx context.Context) ([]*Delivery, error)
	finished atomic.Bool // acknowledged here: its job has nothing left to do

	begun bool // its turn has started; guarded by the lot's mu, like
	moved bool // it waits in PARKED instead
}

// Age is the time since the broker stored the update. No wall clock of a worker
// is in it: the broker's clock tells the age at arrival, the monotonic one the rest.
func (d *Delivery) Age() time.Duration { return d.aged + time.Since(d.arrived) }

// Here is how long this worker has had it.
func (d *Delivery) Here() time.Duration { return time.Since(d.arrived) }

// Work is the context that the turns of its partition run under; it ends when the
// partition goes elsewhere. It is never nil.
func (d *Delivery) Work() context.Context {
	if d.work == nil {
		return context.Background() //nolint:forbidigo // a delivery that a test made: no term
	}
	return d.work
}

// Attempt is one try at a delivery. No two attempts of one lane run at once.
type Attempt func(ctx context.Context) Next

// Next says how a lane goes on after an attempt. The zero value: with the next update.
type Next struct {
	Again time.Duration // wait so long, then try the same update again
	Park  bool          // wait aside: the lane's updates leave the partition's window meanwhile
}

// Ack tells the broker that the update is finished: call it after the commit
// succeeded, or said "already done". A lost acknowledgement is harmless, the
// update comes again and is skipped.
func (d *Delivery) Ack(context.Context) error {
	d.finished.Store(true)
	if d.ack == nil {
		return nil
	}
	if err := d.ack(); err != nil {
		return fmt.Errorf("acknowledge update %d of lane %s: %w", d.ID, d.Lane, err)
	}
	return nil
}

// Context continues the trace that began at ingress.
func (d *Delivery) Context(ctx context.Context, p propagation.TextMapPropagator) context.Context {
	return p.Extract(ctx, carrier(d.header))
}

// Header is a header of the message as it was stored.
func (d *Delivery) Header(name string) string { return headerValue(d.header, name) }
