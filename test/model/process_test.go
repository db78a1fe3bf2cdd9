package model

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/broker/natstest"
	"github.com/chatlane/chatlane/internal/fsm/kvstore"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/partition"
	"github.com/chatlane/chatlane/internal/queue/deadletter"
	"github.com/chatlane/chatlane/internal/queue/ownership"
	"github.com/chatlane/chatlane/internal/telegram/api"
	"github.com/chatlane/chatlane/internal/turn"
)

// process is a worker: an owner for each partition, with connections of its own to the broker,
// the store and the Bot API.
type process struct {
	name          string
	broker, store *natstest.Wire
	stop, kill    func()

	mu       sync.Mutex
	dead     bool
	thawed   chan struct{} // closed unless the process is frozen
	troubles []trouble
}

// trouble is a time in which the process may have failed to record an answer.
type trouble struct{ from, to time.Time }

var errDead = errors.New("process is dead")

func startProcess(s *embedded.Server, w *world, name string) (*process, error) {
	p := &process{name: name, broker: natstest.NewWire(s), store: natstest.NewWire(s), thawed: make(chan struct{})}
	close(p.thawed)
	ctx, cancel := context.WithCancel(context.Background())
	work, end := context.WithCancel(context.Background())
	conn, err := broker.Connect(ctx, broker.Config{Options: []nats.Option{p.broker.Option()}})
	if err != nil {
		return nil, errors.Join(err, cause(cancel, end))
	}
	records, err := broker.Connect(ctx, broker.Config{Options: []nats.Option{p.store.Option()}})
	if err != nil {
		return nil, errors.Join(err, cause(cancel, end))
	}
	store, err := kvstore.Open(ctx, records.JetStream(), kvstore.Config{})
	if err != nil {
		return nil, errors.Join(err, cause(cancel, end))
	}
	token, err := api.ParseToken("42:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	if err != nil {
		return nil, errors.Join(err, cause(cancel, end))
	}
	program, err := w.router().Compile()
	if err != nil {
		return nil, errors.Join(err, cause(cancel, end))
	}
	log := slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})).With(slog.String("by", name))
	runner := turn.New(turn.Config{
		MaxAttempts: 4, MinBackoff: 100 * time.Millisecond, ParkAfter: time.Second, Deadline: 10 * time.Second,
	}, turn.Deps{
		Program: program, Store: store, Dead: deadletter.New(conn),
		Client: api.NewClient(api.Config{Transport: botAPI{w, p}}, nil, nil),
		Bots:   map[int64]turn.Identity{botID: {Token: token, Username: "test_bot"}},
	}, log, nil)
	owner := ownership.New(ownership.Config{PinTTL: pinTTL, Logger: log}, conn, lane.NewSlots(64), nil)
	var owners sync.WaitGroup
	for i := range partitions {
		owners.Go(func() { _ = owner.Run(ctx, work, partition.ID(i), runner.Start) })
	}
	p.stop = sync.OnceFunc(func() {
		cancel()
		owners.Wait()
		end()
		runner.Wait()
		conn.Close(work)
		records.Close(work)
	})
	p.kill = func() {
		p.mu.Lock()
		p.dead = true
		p.mu.Unlock()
		p.trouble(time.Now(), time.Now().Add(24*time.Hour))
		p.broker.Cut()
		p.store.Cut()
		conn.JetStream().Conn().Close()
		records.JetStream().Conn().Close()
		end()
		p.thaw()
		p.stop() // from here on its connections are cut
	}
	return p, nil
}

func cause(ends ...func()) error {
	for _, end := range ends {
		end()
	}
	return nil
}

// freeze holds everything that the process sends and receives.
func (p *process) freeze(d time.Duration) {
	if !p.chill() {
		return
	}
	p.trouble(time.Now(), time.Now().Add(d))
	p.broker.Hold()
	p.store.Hold()
	time.Sleep(d)
	p.broker.Thaw()
	p.store.Thaw()
	p.thaw()
}

// chill marks the process as frozen. It is false for one that is frozen already, or dead.
func (p *process) chill() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.thawed:
	default:
		return false
	}
	if p.dead {
		return false
	}
	p.thawed = make(chan struct{})
	return true
}

func (p *process) thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.thawed:
	default:
		close(p.thawed)
	}
}

// losesStore holds only the connection to the store.
func (p *process) losesStore(d time.Duration) {
	p.trouble(time.Now(), time.Now().Add(d))
	p.store.Hold()
	time.Sleep(d)
	p.store.Thaw()
}

// awake waits while the process is frozen, and fails if it is dead or ctx is cancelled.
func (p *process) awake(ctx context.Context) error {
	p.mu.Lock()
	dead, thawed := p.dead, p.thawed
	p.mu.Unlock()
	<-thawed
	if dead || p.isDead() {
		return errDead
	}
	return ctx.Err()
}

func (p *process) isDead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead
}

func (p *process) trouble(from, to time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.troubles = append(p.troubles, trouble{from, to})
}

// missed notes that the process did not receive the answer to a call.
func (p *process) missed(at time.Time) { p.trouble(at, at) }

// troubled is whether the process may have failed to record an answer at that time.
func (p *process) troubled(at time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.troubles {
		if !at.Before(t.from) && !at.After(t.to) {
			return true
		}
	}
	return false
}
