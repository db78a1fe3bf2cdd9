package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/partition"
)

// presenceSubject carries the workers' heartbeats. It is no part of a stream.
const presenceSubject = "chatlane.presence"

// PresenceConfig says who a worker is and how it counts the others.
type PresenceConfig struct {
	Worker     string        // unique for the life of the process
	Partitions int           // as in Topology
	Every      time.Duration // between heartbeats; 0 means 500 ms. At most a quarter of the pin's life
	// TTL is the silence after which a worker counts as gone; 0 means 5/2 heartbeats. It
	// should end before a pin does, so that who inherits plans without the dead. One who was
	// thought dead too early loses nothing: the pin stays with it.
	TTL    time.Duration
	Logger *slog.Logger
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
	conn  *broker.Conn
	cfg   PresenceConfig
	stirs chan struct{} // there is news of this worker

	mu    sync.Mutex
	peers map[string]peer // this worker too, as the others hear it
	holds map[partition.ID]bool
	seats []partition.Seats
	gone  bool
}

// peer is what was heard of a worker.
type peer struct {
	at    time.Time                  // the last heartbeat
	holds map[partition.ID]time.Time // since when it says that it holds them
}

// beat is the heartbeat on the wire.
type beat struct {
	Worker  string         `json:"worker"`
	Holds   []partition.ID `json:"holds,omitempty"` // the partitions that it owns now
	Leaving bool           `json:"leaving,omitempty"`
	Joining bool           `json:"joining,omitempty"` // asks the others to speak up at once
}

// NewPresence starts nothing; Run does.
func NewPresence(conn *broker.Conn, cfg PresenceConfig) *Presence {
	if cfg.Every <= 0 {
		cfg.Every = 500 * time.Millisecond
	}
	if cfg.TTL <= 0 {
		cfg.TTL = 5 * cfg.Every / 2
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Presence{
		conn: conn, cfg: cfg, stirs: make(chan struct{}, 1), peers: make(map[string]peer), holds: make(map[partition.ID]bool),
	}
}

// Hold says that this worker owns part now, until drop is called. Safe for concurrent use.
func (p *Presence) Hold(part partition.ID) (drop func()) {
	p.tell(func() { p.holds[part] = true })
	return func() { p.tell(func() { delete(p.holds, part) }) }
}

// tell changes what the heartbeats say, and has the next one sent soon.
func (p *Presence) tell(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	select {
	case p.stirs <- struct{}{}:
	default:
	}
}

// Run sends and counts heartbeats until ctx ends, calls changed with each new
// plan, one at a time, and says goodbye at the end.
func (p *Presence) Run(ctx context.Context, changed func(Plan)) error {
	in := make(chan *nats.Msg, 1024)
	sub, err := p.conn.NATS().ChanSubscribe(presenceSubject, in)
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
	// Partitions change hands many at a time: one word and one plan do for all of them.
	soon := time.NewTimer(p.cfg.Every)
	soon.Stop()
	defer soon.Stop()
	settled, stirred, armed := false, false, false
	arm := func() {
		if !armed {
			armed = true
			soon.Reset(p.cfg.Every / 20)
		}
	}
	for last := (Plan{}); ; {
		moved := false
		select {
		case <-ctx.Done():
			return nil
		case m := <-in:
			members, holdings := p.hear(m)
			if moved = members; holdings {
				arm()
			}
		case <-p.stirs:
			stirred = true
			arm()
		case <-soon.C:
			if armed = false; stirred {
				stirred = false
				p.say(beat{Worker: p.cfg.Worker})
			}
			p.expire()
			moved = true
		case <-every.C:
			p.say(beat{Worker: p.cfg.Worker})
			moved = p.expire()
		case <-settle.C:
			settled, moved = true, true
		}
		if !moved || !settled {
			continue
		}
		if plan := p.replan(); !reflect.DeepEqual(plan, last) {
			last = plan
			changed(plan)
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
	p.conn.Flush(ctx) // a goodbye that is lost costs the others one TTL, no more
}

// Role is what this worker is to a partition by the latest plan. Safe for concurrent use.
func (p *Presence) Role(part partition.ID) Role {
	p.mu.Lock()
	defer p.mu.Unlock()
	if int(part) >= len(p.seats) {
		return RoleOwner
	}
	owner := p.seats[part].Owner
	if owner == p.cfg.Worker || p.silent(p.peers[owner]) {
		return RoleOwner
	}
	if _, holds := p.peers[owner].holds[part]; holds {
		return RoleStandby
	}
	return RoleBystander
}

// silent tells that a worker has not been heard for too long; it needs p.mu.
func (p *Presence) silent(w peer) bool { return time.Since(w.at) > p.cfg.TTL }

// say sends a heartbeat; one that is lost is made up for by the next.
func (p *Presence) say(b beat) {
	p.mu.Lock()
	quiet := p.gone && !b.Leaving
	b.Holds = slices.Sorted(maps.Keys(p.holds))
	p.mu.Unlock()
	if quiet {
		return
	}
	if body, err := json.Marshal(b); err == nil {
		_ = p.conn.NATS().Publish(presenceSubject, body)
	}
}

// hear counts a heartbeat; it reports whether the set of workers changed, and whether
// what the worker holds did.
func (p *Presence) hear(m *nats.Msg) (members, holdings bool) {
	var b beat
	if json.Unmarshal(m.Data, &b) != nil || b.Worker == "" {
		return false, false
	}
	if b.Joining && b.Worker != p.cfg.Worker {
		p.say(beat{Worker: p.cfg.Worker})
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	before, known := p.peers[b.Worker]
	if b.Leaving {
		delete(p.peers, b.Worker)
		return known, false
	}
	now := peer{at: time.Now(), holds: make(map[partition.ID]time.Time, len(b.Holds))}
	for _, part := range b.Holds {
		since, held := before.holds[part]
		if !held {
			since = now.at
		}
		now.holds[part] = since
	}
	p.peers[b.Worker] = now
	return !known, !maps.Equal(before.holds, now.holds)
}

// expire forgets workers that fell silent. While this worker does not hear even
// itself, it is the one that is cut off, and changes nothing.
func (p *Presence) expire() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.silent(p.peers[p.cfg.Worker]) {
		return false
	}
	moved := false
	for w, peer := range p.peers {
		if p.silent(peer) {
			delete(p.peers, w)
			moved = true
		}
	}
	return moved
}

func (p *Presence) replan() Plan {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seats = partition.Assign(slices.Collect(maps.Keys(p.peers)), p.holders())
	plan := Plan{Workers: len(p.peers)}
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

// holders is who owns each partition. Where two say that they do, the one that
// began to say so later does: the other will find out. It needs p.mu.
func (p *Presence) holders() []string {
	names, since := make([]string, p.cfg.Partitions), make([]time.Time, p.cfg.Partitions)
	for w, peer := range p.peers {
		for part, at := range peer.holds {
			if int(part) >= len(names) || part < 0 {
				continue
			}
			if at.After(since[part]) || at.Equal(since[part]) && w < names[part] {
				names[part], since[part] = w, at
			}
		}
	}
	return names
}
