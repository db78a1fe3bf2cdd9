package ownership

import (
	"context"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/nats-io/nats.go"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/partition"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/queue/parking"
)

// term is one ownership of one partition. Only its own goroutine touches it, except for lanes and parking.
type term struct {
	o       *Owner
	p       partition.ID
	pin     string
	stream  streamState
	keep    time.Time // until then the term goes on, whatever the plan says
	lanes   *lane.Executor
	parking *parking.Lanes
	work    context.Context //nolint:containedctx // the term is the life of this context; it ends with runTerm
	log     *slog.Logger

	feed     *feed
	next     uint64    // consumer sequence that must come next
	wanted   int       // messages still to come of the last pull request
	answered time.Time // time of the broker's last message or refusal
	watchdog watchdog
	backlog  backlog

	resyncs int // since the last delivery that was in order
	retry   *backoff.ExponentialBackOff
}

func (o *Owner) newTerm(work context.Context, p partition.ID, pin string, stream streamState, attempt func(*queue.Delivery) queue.Attempt) *term {
	t := &term{
		o: o, p: p, pin: pin, stream: stream, work: work, lanes: lane.NewExecutor(o.slots),
		log: o.cfg.Logger.With(slog.Int("partition", int(p))),
		retry: &backoff.ExponentialBackOff{
			InitialInterval: min(100*time.Millisecond, o.cfg.PinTTL/8), Multiplier: 2, MaxInterval: o.cfg.PinTTL / 8,
		},
	}
	t.parking = parking.New(parking.Config{
		Partition: p, Window: o.cfg.Window, Pin: pin, Stream: stream.created, Last: stream.last, Ahead: stream.ahead,
		Attempt: attempt, Metrics: o.metrics.parking, Logger: t.log,
	}, o.conn, t)
	return t
}

// runTerm resets, consumes in order, and hands over when ctx ends. An error says why the
// term ended otherwise.
func (o *Owner) runTerm(ctx, work context.Context, p partition.ID, pin string, keep time.Time, attempt func(*queue.Delivery) queue.Attempt) (err error) {
	work, cancel := context.WithCancelCause(work)
	state, err := o.streamState(work)
	if err != nil {
		cancel(err)
		return err
	}
	t := o.newTerm(work, p, pin, state, attempt)
	t.keep = keep
	defer o.metrics.took(p)()
	defer func() {
		t.parking.Close()
		cancel(err)
		t.lanes.Drain()
		t.parking.Wait()
		t.closeFeed()
	}()
	unsubscribe, err := t.takeOver(ctx)
	if err != nil {
		return err
	}
	defer unsubscribe()
	defer o.cfg.Hold(p)()
	t.log.InfoContext(ctx, "partition taken over")
	if err := t.consume(ctx); err != nil {
		return err
	}
	return t.handOver(ctx)
}

func (t *term) takeOver(ctx context.Context) (unsubscribe func(), err error) {
	if err := t.parking.Load(t.work, t.o.cfg.PinTTL); err != nil { //nolint:contextcheck // a stop must not interrupt it half way
		return nil, err
	}
	unsubscribe, err = t.parking.Serve(t.work) //nolint:contextcheck // it serves while turns end
	if err != nil {
		return nil, err
	}
	if err := t.resync(ctx, resetTakeover); err != nil {
		unsubscribe()
		return nil, err
	}
	return unsubscribe, nil
}

// Submit queues a job in a lane of the term.
func (t *term) Submit(k lane.Key, job lane.Job) error { return t.lanes.Submit(t.work, k, job) }

// Confirm returns [queue.ErrPinLost] if the pin is not this term's.
func (t *term) Confirm(ctx context.Context) error {
	info, err := t.o.info(ctx, t.p)
	if err == nil && pinOf(info) != t.pin {
		err = queue.ErrPinLost
	}
	return err
}

func (t *term) consume(ctx context.Context) error {
	tick := time.NewTicker(t.o.cfg.PinTTL / 4)
	defer tick.Stop()
	elsewhere := 0 // ticks in a row
	for {
		select {
		case <-ctx.Done():
			return nil
		case m := <-t.feed.in:
			if err := t.receive(ctx, m); err != nil {
				return err
			}
		case <-tick.C:
			if elsewhere++; !t.o.elsewhere(t.p) || time.Now().Before(t.keep) {
				elsewhere = 0
			}
			if elsewhere > 2 {
				return t.leave(ctx)
			}
			if err := t.tick(ctx); err != nil {
				return err
			}
		}
	}
}

func (t *term) leave(ctx context.Context) error {
	if err := t.handOver(ctx); err != nil {
		return err
	}
	return errElsewhere
}

func (t *term) receive(ctx context.Context, m *nats.Msg) error {
	t.answered = time.Now()
	if isDelivery(m) {
		return t.accept(ctx, m)
	}
	switch status(m) {
	case statusWrongPin:
		return queue.ErrPinLost
	case statusConflict:
		t.watchdog.hasten() // a leader may have changed with deliveries on their way
	case statusNotFound, statusExpired, statusNoResponders:
	}
	return nil
}

func (t *term) tick(ctx context.Context) error {
	if time.Since(t.answered) > t.o.cfg.PinTTL {
		return queue.ErrSilent
	}
	if err := t.pull(); err != nil {
		return err
	}
	t.measure(ctx)
	t.parking.PruneWhenDue(t.work, t.o.cfg.PinTTL/8) //nolint:contextcheck // for no longer than a hand-over may wait
	return t.watch(ctx)
}

// pull asks for a window and renews the pin. The request expires well inside PinTTL.
func (t *term) pull() error {
	t.wanted = t.o.cfg.Window
	return t.feed.pull(pullRequest{Batch: t.o.cfg.Window, Expires: t.o.cfg.PinTTL / 2, Pin: t.pin})
}

func (t *term) closeFeed() {
	if t.feed != nil {
		t.feed.close()
		t.feed = nil
	}
}

func (t *term) consumer() string { return broker.ConsumerName(t.p) }
