package queue

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/propagation"
)

// Why the work of a partition ended: the cause of [Delivery.Work].
var (
	// ErrPinLost says that another worker owns the partition now.
	ErrPinLost = errors.New("partition pin lost")
	// ErrSilent says that the broker has not answered for longer than the pin lives.
	ErrSilent = errors.New("broker silent for longer than the pin lives")
)

// Delivery is an update in the hands of the owner of its partition.
type Delivery struct {
	Update
	Seq    uint64    // stream sequence: the order of the lane
	Stream int64     // creation time of the stream, Unix nanoseconds: its identity
	Stored time.Time // by the broker's clock
	// Inherited says that an earlier owner may have had the update, and begun it.
	Inherited bool

	origin   Origin
	arrived  time.Time   // local, with the monotonic reading
	finished atomic.Bool // acknowledged here: its job has nothing left to do
}

// Origin is what a delivery's owner knows of it. The zero value suits a test: nothing
// is acknowledged, and nothing waits behind it.
type Origin struct {
	Work   context.Context //nolint:containedctx // the life of the term that the delivery belongs to
	Header nats.Header
	Age    time.Duration // at arrival, by the broker's clock alone; below 0 is 0
	Ack    func() error
	Behind func(ctx context.Context) ([]*Delivery, error)
}

// Arrive notes that the owner received the delivery now. It must come before the delivery is shared.
func (d *Delivery) Arrive(o Origin) {
	o.Age = max(0, o.Age)
	d.origin, d.arrived = o, time.Now()
}

// Age is the time since the broker stored the update. No wall clock of a worker
// is in it: the broker's clock tells the age at arrival, the monotonic one the rest.
func (d *Delivery) Age() time.Duration { return d.origin.Age + time.Since(d.arrived) }

// Here is how long this worker has had it.
func (d *Delivery) Here() time.Duration { return time.Since(d.arrived) }

// Work is the context that the attempts of its partition run under; it ends when the
// partition goes elsewhere. It is never nil.
func (d *Delivery) Work() context.Context {
	if d.origin.Work == nil {
		return context.Background() //nolint:forbidigo // a delivery that a test made: no term
	}
	return d.origin.Work
}

// Behind lists updates of the same lane that wait behind this one, in order: those
// that are parked, then those that are not. It may miss some, which stay where they
// are, and repeat none.
func (d *Delivery) Behind(ctx context.Context) ([]*Delivery, error) {
	if d.origin.Behind == nil {
		return nil, nil
	}
	return d.origin.Behind(ctx)
}

// Attempt is one try at a delivery. No two attempts of one lane run at once.
type Attempt func(ctx context.Context) Next

// Next says how a lane goes on after an attempt. The zero value: with the next update.
type Next struct {
	Again time.Duration // wait so long, then try the same update again
	Park  bool          // wait aside: the lane's updates leave the partition's window meanwhile
}

// Ack tells the broker that the update is finished: call it after the commit
// succeeded, or said "already done". A lost acknowledgement is harmless: the
// update comes again and is skipped.
func (d *Delivery) Ack(context.Context) error {
	d.finished.Store(true)
	if d.origin.Ack == nil {
		return nil
	}
	if err := d.origin.Ack(); err != nil {
		return fmt.Errorf("acknowledge update %d of lane %s: %w", d.ID, d.Lane, err)
	}
	return nil
}

// Finished reports whether Ack was called.
func (d *Delivery) Finished() bool { return d.finished.Load() }

// Context continues the trace that began at ingress.
func (d *Delivery) Context(ctx context.Context, p propagation.TextMapPropagator) context.Context {
	return p.Extract(ctx, Carrier(d.origin.Header))
}

// Header is a header of the message as it was stored.
func (d *Delivery) Header(name string) string { return HeaderValue(d.origin.Header, name) }
