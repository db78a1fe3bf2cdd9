package fleet

import (
	"cmp"
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

// PresenceConfig names a worker and sets the pace of its heartbeats.
type PresenceConfig struct {
	Worker     string        // unique for the life of the process
	Partitions int           // as in Topology
	Bots       []int64       // that it serves, sorted; nil: it does not say, and counts as serving all
	Every      time.Duration // between heartbeats, at most a quarter of the pin's TTL; 0 means 500 ms
	// TTL is the silence after which a worker counts as gone; 0 means 5/2 heartbeats. Keep it below the pin's TTL:
	// the heir of a partition then plans without the dead worker. A live worker counted as gone keeps its pins.
	TTL    time.Duration
	About  About // what heartbeats tell people
	Logger *slog.Logger
}

// Plan is the partitions that one worker owns or stands by for, and the number of all workers.
type Plan struct {
	Own     []partition.ID
	Standby []partition.ID
	Workers int
}

// Presence sends this worker's heartbeats and receives those of all. Safe for concurrent use.
type Presence struct {
	conn    *broker.Conn
	cfg     PresenceConfig
	dirty   chan struct{} // what this worker's heartbeats carry has changed
	dropped func() int    // only the loop calls it

	mu      sync.Mutex
	peers   map[string]peer // this worker too, by its own heartbeats
	refused time.Time       // when a name above the limit last came
	lost    int             // heartbeats that did not fit in the channel
	warned  time.Time
	holds   map[partition.ID]bool
	held    map[partition.ID]bool // owned since forgetHeld
	seats   []partition.Seats
	needs   map[need]time.Time // when a heartbeat last named it
	left    bool

	bots bots // has a lock of its own
}

type peer struct {
	at    time.Time                  // of the last heartbeat
	holds map[partition.ID]time.Time // what it owns, and since when
	bots  []int64                    // sorted; nil: it does not say
}

// About is what a worker tells people about itself; no worker reads it. An older release tells nothing.
type About struct {
	Release string  `json:"release,omitempty"`
	Limits  *Limits `json:"limits,omitempty"`
}

// Limits are the limits of sending that a worker was told; 0 is no limit.
type Limits struct {
	BotPerSecond   int `json:"bot_per_second"`
	ChatPerSecond  int `json:"chat_per_second"`
	ChatBurst      int `json:"chat_burst"`
	GroupPerMinute int `json:"group_per_minute"`
}

type beat struct {
	Worker  string         `json:"worker"`
	Holds   []partition.ID `json:"holds,omitempty"` // what it owns now
	About   *About         `json:"about,omitempty"`
	Leaving bool           `json:"leaving,omitempty"`
	Joining bool           `json:"joining,omitempty"` // asks the others for a heartbeat at once

	Bots  []int64                  `json:"bots,omitempty"`  // that it serves
	Needs map[int64][]partition.ID `json:"needs,omitempty"` // bots that not all serve, and whose updates these partitions have
}

// NewPresence prepares a presence; [Presence.Run] starts it.
func NewPresence(conn *broker.Conn, cfg PresenceConfig) *Presence {
	cfg.Every = cmp.Or(max(0, cfg.Every), 500*time.Millisecond)
	cfg.TTL = cmp.Or(max(0, cfg.TTL), 5*cfg.Every/2)
	cfg.Logger = cmp.Or(cfg.Logger, slog.New(slog.DiscardHandler))
	return &Presence{
		needs: make(map[need]time.Time), bots: bots{met: make([]met, cfg.Partitions), rotated: time.Now()},
		conn: conn, cfg: cfg, dirty: make(chan struct{}, 1), peers: make(map[string]peer), holds: make(map[partition.ID]bool), held: make(map[partition.ID]bool),
	}
}

// Hold announces that this worker owns part, until drop is called.
func (p *Presence) Hold(part partition.ID) (drop func()) {
	p.update(func() { p.holds[part], p.held[part] = true, true })
	return func() { p.update(func() { delete(p.holds, part) }) }
}

func (p *Presence) update(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	p.stir()
}

// stir has the next heartbeat sent soon.
func (p *Presence) stir() {
	select {
	case p.dirty <- struct{}{}:
	default:
	}
}

// Run sends and receives heartbeats until ctx ends, then calls Leave. It calls changed with each
// new plan, one at a time. Its only error is a subscription that failed.
func (p *Presence) Run(ctx context.Context, changed func(Plan)) error {
	in := make(chan *nats.Msg, 8192)
	sub, err := p.conn.NATS().ChanSubscribe(p.conn.Names().Presence(), in)
	if err != nil {
		return fmt.Errorf("subscribe to presence: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	p.dropped = func() int { n, _ := sub.Dropped(); return n } // 0 once the subscription has ended
	p.send(beat{Worker: p.cfg.Worker, Joining: true})
	defer p.Leave(ctx)
	every := time.NewTicker(p.cfg.Every)
	defer every.Stop()
	// The others answer the first heartbeat within this time: the first plan counts them all.
	settle := time.NewTimer(p.cfg.Every / 4)
	defer settle.Stop()
	// Workers and partitions come and go many at a time: one heartbeat and one plan serve all of them.
	soon := time.NewTimer(p.cfg.Every)
	soon.Stop()
	defer soon.Stop()
	settled, changedHere, armed := false, false, false
	pace := p.cfg.Every / 20
	arm := func() {
		if !armed {
			armed = true
			soon.Reset(pace)
		}
	}
	for last := (Plan{}); ; {
		moved := false
		select {
		case <-ctx.Done():
			return nil
		case m := <-in:
			if p.receive(ctx, m) {
				arm()
			}
		case <-p.dirty:
			changedHere = true
			arm()
		case <-soon.C:
			p.receiveAll(ctx, in)
			if armed = false; changedHere {
				changedHere = false
				p.send(beat{Worker: p.cfg.Worker})
			}
			p.expire()
			moved = true
		case <-every.C:
			p.send(beat{Worker: p.cfg.Worker})
			moved = p.expire()
		case <-settle.C:
			settled, moved = true, true
		}
		if !moved || !settled {
			continue
		}
		plan, took := p.replan()
		pace = max(p.cfg.Every/20, 4*took) // planning takes a fifth of the time at most
		if !reflect.DeepEqual(plan, last) {
			last = plan
			changed(plan)
		}
	}
}

// receiveAll takes in what has arrived, so that all of it counts in the next plan.
func (p *Presence) receiveAll(ctx context.Context, in <-chan *nats.Msg) {
	for n := len(in); n > 0; n-- {
		p.receive(ctx, <-in)
	}
}

// Leave takes this worker out of the plans at once: others take over while it still finishes. Safe to repeat.
func (p *Presence) Leave(ctx context.Context) {
	p.mu.Lock()
	p.left = true
	p.mu.Unlock()
	p.send(beat{Worker: p.cfg.Worker, Leaving: true})
	p.conn.Flush(ctx) // if it is lost, the others wait one TTL
}

// Role is this worker's role for a partition by the latest plan.
func (p *Presence) Role(part partition.ID) Role {
	p.mu.Lock()
	defer p.mu.Unlock()
	if int(part) >= len(p.seats) {
		return RoleOwner
	}
	owner := p.seats[part].Owner
	if owner == p.cfg.Worker || !p.isCutOff() && p.silent(p.peers[owner]) {
		return RoleOwner
	}
	if _, holds := p.peers[owner].holds[part]; holds {
		return RoleStandby
	}
	return RoleBystander
}

// silent needs p.mu.
func (p *Presence) silent(w peer) bool { return time.Since(w.at) > p.cfg.TTL }

// send may lose a heartbeat: the next carries the same.
func (p *Presence) send(b beat) {
	p.mu.Lock()
	p.bots.rotate(time.Now())
	left := p.left && !b.Leaving
	b.Holds, b.About, b.Bots, b.Needs = slices.Sorted(maps.Keys(p.holds)), &p.cfg.About, p.cfg.Bots, p.ownNeeds()
	p.mu.Unlock()
	if left {
		return
	}
	if body, err := json.Marshal(b); err == nil {
		_ = p.conn.NATS().Publish(p.conn.Names().Presence(), body)
	}
}

// receive takes a heartbeat in. It reports whether a new plan is due: the set of workers
// changed, or what one of them holds.
func (p *Presence) receive(ctx context.Context, m *nats.Msg) (due bool) {
	var b beat
	if json.Unmarshal(m.Data, &b) != nil || b.Worker == "" || len(b.Worker) > maxName {
		return false
	}
	slices.Sort(b.Bots)
	if b.Joining && b.Worker != p.cfg.Worker {
		p.update(func() {}) // the next heartbeat is sent soon, one for all who join
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	before, known := p.peers[b.Worker]
	if b.Leaving {
		delete(p.peers, b.Worker)
		return known
	}
	if !known && b.Worker != p.cfg.Worker && len(p.peers) >= p.limit() {
		return p.refuse(ctx)
	}
	now := peer{at: time.Now(), holds: make(map[partition.ID]time.Time), bots: before.bots}
	if serves := b.Bots[:min(len(b.Bots), maxBots)]; !slices.Equal(serves, before.bots) {
		now.bots = serves
		p.stir() // what this worker needs may differ now
	}
	for _, part := range b.Holds {
		if int(part) >= p.cfg.Partitions || part < 0 {
			continue
		}
		since, held := before.holds[part]
		if !held {
			since = now.at
		}
		now.holds[part] = since
	}
	p.peers[b.Worker] = now
	if b.Worker == p.cfg.Worker && known && p.cutOff(now.at.Sub(before.at)) {
		p.trustAll(now.at)
	}
	fresh := p.learn(b.Needs, now.at)
	return !known || fresh || !slices.Equal(before.bots, now.bots) || !maps.Equal(before.holds, now.holds)
}

// replan plans anew, and measures how long that takes.
func (p *Presence) replan() (Plan, time.Duration) {
	begun := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	workers := p.counted()
	p.seats = partition.AssignAble(workers, p.holders(), p.able())
	plan := Plan{Workers: len(workers)}
	for i, s := range p.seats {
		switch p.cfg.Worker {
		case s.Owner:
			plan.Own = append(plan.Own, partition.ID(i))
		case s.Standby:
			plan.Standby = append(plan.Standby, partition.ID(i))
		}
	}
	return plan, time.Since(begun)
}

// holders names each partition's owner: of two the later one, which the other has not noticed. It needs p.mu.
func (p *Presence) holders() []string {
	names, since := make([]string, p.cfg.Partitions), make([]time.Time, p.cfg.Partitions)
	for w, peer := range p.peers {
		for part, at := range peer.holds {
			if at.After(since[part]) || at.Equal(since[part]) && w < names[part] {
				names[part], since[part] = w, at
			}
		}
	}
	return names
}
