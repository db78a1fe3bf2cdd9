package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/chatlane/chatlane/internal/partition"
)

// presenceSubject carries the workers' heartbeats. It is no part of a stream.
const presenceSubject = "chatlane.presence"

// PresenceConfig says who a worker is and how it counts the others.
type PresenceConfig struct {
	Worker     string        // unique for the life of the process
	Partitions int           // as in Topology
	Every      time.Duration // between heartbeats; 0 means 500 ms
	TTL        time.Duration // silence after which a worker counts as gone; 0 means 4 heartbeats
	Logger     *slog.Logger
}

// Plan is what one worker has to do, by everybody's reckoning: what it owns, and
// where it is next in line.
type Plan struct {
	Own     []partition.ID
	Standby []partition.ID
	Workers int
}

// Presence tells the workers of each other. Each computes the same assignment
// from the same heartbeats; where they differ for a moment, the pin decides.
type Presence struct {
	conn *Conn
	cfg  PresenceConfig

	mu    sync.Mutex
	heard map[string]time.Time
	seats []partition.Seats
	gone  bool
}

// beat is the heartbeat on the wire.
type beat struct {
	Worker  string `json:"worker"`
	Leaving bool   `json:"leaving,omitempty"`
	Joining bool   `json:"joining,omitempty"` // asks the others to speak up at once
}

// NewPresence starts nothing; Run does.
func NewPresence(conn *Conn, cfg PresenceConfig) *Presence {
	if cfg.Every <= 0 {
		cfg.Every = 500 * time.Millisecond
	}
	if cfg.TTL <= 0 {
		cfg.TTL = 4 * cfg.Every
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Presence{conn: conn, cfg: cfg, heard: make(map[string]time.Time)}
}

// Run sends and counts heartbeats until ctx ends, calls changed with each new
// plan, one at a time, and says goodbye at the end.
func (p *Presence) Run(ctx context.Context, changed func(Plan)) error {
	in := make(chan *nats.Msg, 1024)
	sub, err := p.conn.nc.ChanSubscribe(presenceSubject, in)
	if err != nil {
		return fmt.Errorf("subscribe to presence: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	p.say(beat{Worker: p.cfg.Worker, Joining: true})
	defer p.Leave(ctx)
	every := time.NewTicker(p.cfg.Every)
	defer every.Stop()
	// The answers to the greeting arrive within this time, so that the first plan counts everybody.
	settle := time.NewTimer(p.cfg.Every / 4)
	defer settle.Stop()
	settled := false
	for {
		moved := false
		select {
		case <-ctx.Done():
			return nil
		case m := <-in:
			moved = p.hear(m)
		case <-every.C:
			p.say(beat{Worker: p.cfg.Worker})
			moved = p.expire()
		case <-settle.C:
			settled, moved = true, true
		}
		if moved && settled {
			changed(p.replan())
		}
	}
}

// Leave tells the others at once that this worker takes no more part, so that
// they move up while it still finishes. The heartbeats stop with it.
func (p *Presence) Leave(ctx context.Context) {
	p.mu.Lock()
	p.gone = true
	p.mu.Unlock()
	p.say(beat{Worker: p.cfg.Worker, Leaving: true})
	p.conn.flush(ctx) // a goodbye that is lost costs the others one TTL, no more
}

// Elsewhere tells that part is assigned to another worker who was heard lately.
// After Leave everything is.
func (p *Presence) Elsewhere(part partition.ID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if int(part) >= len(p.seats) {
		return false
	}
	owner := p.seats[part].Owner
	return owner != p.cfg.Worker && time.Since(p.heard[owner]) < 2*p.cfg.Every
}

// say sends a heartbeat; one that is lost is made up for by the next.
func (p *Presence) say(b beat) {
	p.mu.Lock()
	quiet := p.gone && !b.Leaving
	p.mu.Unlock()
	if quiet {
		return
	}
	if body, err := json.Marshal(b); err == nil {
		_ = p.conn.nc.Publish(presenceSubject, body)
	}
}

// hear counts a heartbeat; it reports whether the set of workers changed.
func (p *Presence) hear(m *nats.Msg) bool {
	var b beat
	if json.Unmarshal(m.Data, &b) != nil || b.Worker == "" {
		return false
	}
	if b.Joining && b.Worker != p.cfg.Worker {
		p.say(beat{Worker: p.cfg.Worker})
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, known := p.heard[b.Worker]
	if b.Leaving {
		delete(p.heard, b.Worker)
		return known
	}
	p.heard[b.Worker] = time.Now()
	return !known
}

// expire forgets workers that fell silent. While this worker does not hear even
// itself, it is the one that is cut off, and changes nothing.
func (p *Presence) expire() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.heard[p.cfg.Worker]) > p.cfg.TTL {
		return false
	}
	moved := false
	for w, at := range p.heard {
		if time.Since(at) > p.cfg.TTL {
			delete(p.heard, w)
			moved = true
		}
	}
	return moved
}

func (p *Presence) replan() Plan {
	p.mu.Lock()
	defer p.mu.Unlock()
	workers := make([]string, 0, len(p.heard))
	for w := range p.heard {
		workers = append(workers, w)
	}
	slices.Sort(workers)
	p.seats = partition.Assign(workers, p.cfg.Partitions)
	plan := Plan{Workers: len(workers)}
	for i, s := range p.seats {
		switch p.cfg.Worker {
		case s.Owner:
			plan.Own = append(plan.Own, partition.ID(i))
		case s.Standby:
			plan.Standby = append(plan.Standby, partition.ID(i))
		}
	}
	return plan
}
