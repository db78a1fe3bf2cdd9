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

var (
	// ErrPinLost ends [Delivery.Work]: another worker owns the partition now.
	ErrPinLost = errors.New("partition pin lost")
	// ErrSilent ends [Delivery.Work]: the broker has not answered for longer than the pin's TTL.
	ErrSilent = errors.New("broker silent for longer than the pin lives")
)

// Delivery is an update as the owner of its partition receives it.
type Delivery struct {
	Update
	Seq       uint64    // stream sequence: the order of the lane
	Stream    int64     // the stream's creation time, Unix nanoseconds: its identity
	Stored    time.Time // by the broker's clock
	Inherited bool      // an earlier owner may have received and begun the update

	origin   Origin
	arrived  time.Time   // local, with the monotonic reading
	finished atomic.Bool // Ack was called
}

// Origin is what the owner adds to a delivery. Zero: Ack does nothing, and no update waits behind.
type Origin struct {
	Work   context.Context //nolint:containedctx // it ends with the term that the delivery belongs to
	Header nats.Header
	Age    time.Duration // at arrival, by the broker's clock alone; below 0 is 0
	Ack    func() error
	Behind func(ctx context.Context) ([]*Delivery, error)
}

// Arrive sets the origin and the time of arrival. Call it before the delivery is shared.
func (d *Delivery) Arrive(o Origin) {
	o.Age = max(0, o.Age)
	d.origin, d.arrived = o, time.Now()
}

// Age is the time since the broker stored the update; the worker's wall clock plays no part.
func (d *Delivery) Age() time.Duration { return d.origin.Age + time.Since(d.arrived) }

// Here is the time since the update arrived at this worker.
func (d *Delivery) Here() time.Duration { return time.Since(d.arrived) }

// Work is the context of the partition's attempts. It ends with the term, with a cause if that was lost. Never nil.
func (d *Delivery) Work() context.Context {
	if d.origin.Work == nil {
		return context.Background() //nolint:forbidigo // a delivery made by a test has no term
	}
	return d.origin.Work
}

// Behind lists the lane's waiting updates behind this one, in order. It may miss some, but lists none twice.
func (d *Delivery) Behind(ctx context.Context) ([]*Delivery, error) {
	if d.origin.Behind == nil {
		return nil, nil
	}
	return d.origin.Behind(ctx)
}

// Attempt is one try at a delivery. No two attempts of one lane run at once.
type Attempt func(ctx context.Context) Next

// Next is how a lane goes on after an attempt. The zero value: with the next update.
type Next struct {
	Again time.Duration // try the same update again after this time
	Park  bool          // park the lane for that time, outside the partition's window
}

// Ack removes the update from the broker. Call it only after the commit. A lost one costs a skipped redelivery.
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

// Context returns ctx with the trace that began at ingress.
func (d *Delivery) Context(ctx context.Context, p propagation.TextMapPropagator) context.Context {
	return p.Extract(ctx, Carrier(d.origin.Header))
}

// Header is a header of the stored message; empty if missing.
func (d *Delivery) Header(name string) string { return HeaderValue(d.origin.Header, name) }
