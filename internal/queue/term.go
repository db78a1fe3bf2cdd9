package queue

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/partition"
)

// term is one reign over one partition: from the reset to the loss of the pin or
// the hand-over. Only its own goroutine touches it, except for open.
type term struct {
	o      *Owner
	p      partition.ID
	pin    string
	stream int64
	ahead  time.Duration // how far the broker's clock is ahead of ours
	last   uint64        // sequence of the stream when the term began
	lanes  *lane.Executor
	lot    *lot
	work   context.Context //nolint:containedctx // the term is the life of this context; it ends with reign
	log    *slog.Logger

	feed     *feed
	next     uint64    // consumer sequence that must come next
	asked    int       // messages still to come of the last pull request
	heard    time.Time // anything from the broker
	moved    time.Time // a delivery or an acknowledgement: the watchdog's silence
	patience time.Duration
	missing  bool // the watchdog's last look found the broker's books to differ
	vain     int  // resynchronisations since the last delivery that was in order

	pending uint64    // updates that waited at the broker
	counted time.Time // and when
	swept   time.Time // when copies of former owners were looked for

	relief sync.WaitGroup // the floods that are being moved, and the copies that are swept

	mu       sync.Mutex
	open     map[uint64]*Delivery // delivered here and not acknowledged, by stream sequence
	depth    map[lane.Key]int     // how many of them are one lane's
	relieved map[lane.Key]bool    // the lanes that are being moved aside
	acks     int                  // acknowledgements since the watchdog looked
}

// reign resets, consumes in order, and hands over when ctx ends. An error says why it ended otherwise.
func (o *Owner) reign(ctx, work context.Context, p partition.ID, pin string, turn func(*Delivery) Attempt) (err error) {
	work, cancel := context.WithCancelCause(work)
	t := &term{
		o: o, p: p, pin: pin, work: work, lanes: lane.NewExecutor(o.slots),
		log: o.cfg.Logger.With(slog.Int("partition", int(p))), open: make(map[uint64]*Delivery), depth: make(map[lane.Key]int), relieved: make(map[lane.Key]bool),
	}
	defer o.metrics.took(p)()
	defer func() {
		cancel(err)
		t.lanes.Drain()
		t.relief.Wait()
		t.closeFeed()
	}()
	if t.stream, t.last, t.ahead, err = o.identity(work); err != nil {
		return err
	}
	t.lot = &lot{
		conn: o.conn, p: p, turn: turn, log: t.log, stream: t.stream, ahead: t.ahead, pin: pin, lanes: make(map[lane.Key]*space),
		parked: o.metrics.parked, mine: t.mine,
		submit: func(k lane.Key, j lane.Job) error { return t.lanes.Submit(work, k, j) },
		open: func(k lane.Key) []*Delivery {
			t.mu.Lock()
			defer t.mu.Unlock()
			return t.of(k)
		},
	}
	defer t.lot.close()
	if err := t.lot.load(work, o.cfg.PinTTL); err != nil {
		return err
	}
	deaf, err := t.lot.listen(work)
	if err != nil {
		return err
	}
	defer deaf()
	if err := t.resync(ctx, resetTakeover); err != nil {
		return err
	}
	defer o.cfg.Hold(p)()
	t.swept = time.Now().Add(-time.Duration(p) * time.Second % sweepEvery) // not with all the other partitions
	t.log.InfoContext(ctx, "partition taken over")
	if err := t.consume(ctx); err != nil {
		return err
	}
	return t.handOver(ctx)
}

// consume runs until ctx ends (nil), the partition should go elsewhere, or the pin is lost.
func (t *term) consume(ctx context.Context) error {
	tick := time.NewTicker(t.o.cfg.PinTTL / 4)
	defer tick.Stop()
	elsewhere := 0
	for {
		select {
		case <-ctx.Done():
			return nil
		case m := <-t.feed.in:
			if err := t.receive(ctx, m); err != nil {
				return err
			}
		case <-tick.C:
			if elsewhere = t.foreign(elsewhere); elsewhere > 2 {
				return t.leave(ctx)
			}
			if err := t.tick(ctx); err != nil {
				return err
			}
		}
	}
}

// foreign counts the ticks for which the partition has belonged to another worker.
func (t *term) foreign(n int) int {
	if t.o.elsewhere(t.p) {
		return n + 1
	}
	return 0
}

func (t *term) leave(ctx context.Context) error {
	if err := t.handOver(ctx); err != nil {
		return err
	}
	return errHand
}

// receive handles one message or refusal.
func (t *term) receive(ctx context.Context, m *nats.Msg) error {
	t.heard = time.Now()
	switch status(m) {
	case "":
		return t.accept(ctx, m)
	case statusWrongPin:
		return ErrPinLost
	case statusConflict:
		t.patience = 0 // a leader may have changed with deliveries on their way: look soon
	case statusNotFound, statusExpired, statusNoResponders:
	}
	return nil
}

// accept takes the next delivery, or resynchronises when it is not the next.
func (t *term) accept(ctx context.Context, m *nats.Msg) error {
	if HeaderValue(m.Header, headerPin) != t.pin {
		return ErrPinLost
	}
	meta, err := m.Metadata()
	if err != nil {
		return fmt.Errorf("read delivery: %w", err)
	}
	t.moved, t.patience, t.missing = t.heard, 0, false
	if meta.Sequence.Consumer != t.next {
		return t.resync(ctx, resetGap)
	}
	if meta.NumDelivered != 1 {
		return t.resync(ctx, resetRedelivery)
	}
	t.next++
	t.vain = 0
	t.asked--
	t.waiting(meta.NumPending)
	if m.Subject == wakeSubject(t.p) {
		return m.Ack()
	}
	d := t.delivery(ctx, m, meta)
	t.o.metrics.age.Observe(d.Age().Seconds())
	if err := t.submit(d); err != nil {
		return err
	}
	if t.asked <= t.o.cfg.Window/2 {
		return t.pull()
	}
	return nil
}

func (t *term) submit(d *Delivery) error {
	flood := t.note(d)
	if err := t.lanes.Submit(t.work, d.Lane, t.lot.job(d)); err != nil {
		return fmt.Errorf("lane %s: %w", d.Lane, err)
	}
	if len(flood) > 0 {
		t.relief.Go(func() { t.relieve(flood) })
	}
	return nil
}

// inherited tells what an earlier owner may have had: what was in the stream when this
// term began, and of that no more than a window, since a consumer hands out in stream
// order and waits for that many acknowledgements at most.
func (t *term) inherited(meta *nats.MsgMetadata) bool {
	return meta.Sequence.Stream <= t.last && meta.Sequence.Consumer <= uint64(t.o.cfg.Window)
}

func (t *term) delivery(ctx context.Context, m *nats.Msg, meta *nats.MsgMetadata) *Delivery {
	u, err := DecodeUpdate(m.Subject, m.Header, m.Data)
	if err != nil {
		// Not published by ingress. It takes its turn like any other and dies there,
		// because a message that nobody finishes would hold the ack floor for ever.
		t.log.WarnContext(ctx, "foreign message in the stream", slog.String("subject", m.Subject), slog.String("error", err.Error()))
		if u.Lane == "" {
			u.Lane = lane.ByChat.Key(lane.Scope{Kind: lane.KindOther, ID: "foreign"})
		}
	}
	u.Partition = t.p
	d := &Delivery{
		Update: u, Seq: meta.Sequence.Stream, Stream: t.stream, Stored: meta.Timestamp, Inherited: t.inherited(meta),
	}
	d.Arrive(Origin{
		Work: t.work, Header: m.Header, Age: time.Now().Add(t.ahead).Sub(meta.Timestamp),
		Ack: func() error {
			t.forget(d)
			return m.Ack()
		},
		Behind: func(ctx context.Context) ([]*Delivery, error) { return t.lot.behind(ctx, d, 1) },
	})
	return d
}

// resync starts from the ack floor again: what is buffered and not started is
// dropped and comes again, what runs goes on and is skipped by its cursor later.
// The old inbox is given up first, so that no stale request can swallow a message
// unseen: it would leave a gap at consumer sequence 1.
func (t *term) resync(ctx context.Context, reason string) error {
	t.closeFeed()
	if t.vain++; t.vain > 1 {
		// The last one helped nothing. Whatever goes on, it is no reason to spin.
		pause(ctx, min(25*time.Millisecond<<min(t.vain, 8), t.o.cfg.PinTTL/8))
	}
	dropped := t.lanes.Discard()
	if err := t.o.reset(t.work, t.p, reason); err != nil { //nolint:contextcheck // a stop must not interrupt it half way: the term's own context decides
		return err
	}
	if reason != resetTakeover {
		t.log.InfoContext(ctx, "partition resynchronised", slog.String("reason", reason), slog.Int("dropped", dropped))
	}
	f, err := openFeed(t.o.conn.NATS(), broker.ConsumerName(t.p), 4*t.o.cfg.Window+256)
	if err != nil {
		return err
	}
	t.mu.Lock()
	clear(t.open)
	clear(t.depth)
	t.mu.Unlock()
	t.lot.rewake()
	t.feed, t.next = f, 1
	t.heard = time.Now()
	t.moved, t.missing = t.heard, false
	return t.pull()
}

// mine asks the broker whether the pin is still this term's.
func (t *term) mine(ctx context.Context) error {
	info, err := t.o.info(ctx, t.p)
	if err == nil && pinOf(info) != t.pin {
		err = ErrPinLost
	}
	return err
}

func (t *term) closeFeed() {
	if t.feed != nil {
		t.feed.close()
		t.feed = nil
	}
}

// pull asks for a window and renews the pin. The request expires well inside PinTTL.
func (t *term) pull() error {
	t.asked = t.o.cfg.Window
	return t.feed.pull(pullRequest{Batch: t.o.cfg.Window, Expires: t.o.cfg.PinTTL / 2, Pin: t.pin})
}

// tick renews the pin, notices silence, and lets the watchdog look.
func (t *term) tick(ctx context.Context) error {
	if time.Since(t.heard) > t.o.cfg.PinTTL {
		return ErrSilent
	}
	if err := t.pull(); err != nil {
		return err
	}
	t.measure(ctx)
	if time.Since(t.swept) > sweepEvery {
		t.swept = time.Now()
		t.relief.Go(t.sweep)
	}
	return t.watch(ctx)
}

// sweep looks for copies of former owners, for no longer than a hand-over may wait.
func (t *term) sweep() {
	ctx, stop := context.WithTimeout(t.work, t.o.cfg.PinTTL/8)
	defer stop()
	t.lot.strays(ctx)
}

// handOver keeps the pin while running turns end, then frees what was not started
// and gives the partition to whoever stands by.
func (t *term) handOver(ctx context.Context) error {
	t.closeFeed()
	f, err := openFeed(t.o.conn.NATS(), broker.ConsumerName(t.p), 256)
	if err != nil {
		return err
	}
	t.feed = f
	ended := make(chan struct{})
	go func() { defer close(ended); t.lanes.Drain(); t.relief.Wait() }()
	renew := time.NewTicker(t.o.cfg.PinTTL / 4)
	defer renew.Stop()
	for waiting := true; waiting; {
		select {
		case <-ended:
			waiting = false
		case m := <-f.in:
			if status(m) == statusWrongPin {
				return ErrPinLost // running turns are cancelled with that cause
			}
		case <-renew.C:
			_ = f.renew(t.pin) // a lost pin shows in the answer
		}
	}
	return t.release(context.WithoutCancel(ctx))
}

func (t *term) release(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, t.o.cfg.PinTTL)
	defer cancel()
	if err := t.o.reset(ctx, t.p, resetHandOver); err != nil {
		return err
	}
	if err := t.o.unpin(ctx, t.p); err != nil {
		return err
	}
	t.log.InfoContext(ctx, "partition handed over")
	return nil
}
