package fleet

import (
	"context"
	"log/slog"
	"time"

	"github.com/chatlane/chatlane/internal/partition"
)

// isCutOff reports that this worker does not receive its own heartbeats: then the silence of the
// others says nothing. It needs p.mu.
func (p *Presence) isCutOff() bool { return p.cutOff(time.Since(p.peers[p.cfg.Worker].at)) }

// cutOff reports that a pause between two of this worker's own heartbeats is so long that
// heartbeats of others were lost, too.
func (p *Presence) cutOff(pause time.Duration) bool { return pause > 3*p.cfg.Every/2 }

// trustAll gives all workers a fresh TTL: this one was cut off or lost heartbeats, and the
// others may come back a moment after it. While there are too many names, those that own
// nothing have to end. It needs p.mu.
func (p *Presence) trustAll(now time.Time) {
	crowded := p.crowded()
	for w, peer := range p.peers {
		if !crowded || len(peer.holds) > 0 {
			peer.at = now
			p.peers[w] = peer
		}
	}
}

// Heartbeats are not authenticated.
const (
	maxName   = 256 // bytes
	leastPeer = 256 // names that are believed even with few partitions
	warnEvery = time.Minute
)

// limit is how many names are believed. A worker beyond two for each partition has nothing
// to do.
func (p *Presence) limit() int { return max(leastPeer, 2*p.cfg.Partitions) }

// refuse notes a name above the limit. The first one is reason for a new plan. It needs p.mu.
func (p *Presence) refuse(ctx context.Context) (first bool) {
	first = !p.crowded()
	p.refused = time.Now()
	if time.Since(p.warned) > warnEvery {
		p.warned = p.refused
		p.cfg.Logger.WarnContext(ctx, "more workers announce themselves than partitions need: only those that own partitions count until that ends; see who may publish to the subject",
			slog.Int("limit", p.limit()), slog.String("subject", p.conn.Names().Presence()))
	}
	return first
}

// crowded reports that names above the limit came not long ago. It needs p.mu.
func (p *Presence) crowded() bool {
	return time.Since(p.refused) <= 2*p.cfg.TTL // so long that the names below the limit are gone, too
}

// expire removes the workers that are silent, unless this one is cut off. It reports whether
// the workers that count have changed.
func (p *Presence) expire() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if lost := p.dropped(); lost != p.lost { // the others' may be among them
		p.lost = lost
		p.trustAll(time.Now())
	}
	if p.isCutOff() {
		return false
	}
	moved := !p.refused.IsZero() && !p.crowded()
	if moved {
		p.refused = time.Time{}
	}
	for w, peer := range p.peers {
		if p.silent(peer) {
			delete(p.peers, w)
			moved = true
		}
	}
	return p.forgetNeeds(time.Now()) || moved
}

// counted are the workers that a plan seats. It needs p.mu.
func (p *Presence) counted() []string {
	crowded := p.crowded()
	names := make([]string, 0, len(p.peers))
	for w, peer := range p.peers {
		if !crowded || len(peer.holds) > 0 || w == p.cfg.Worker {
			names = append(names, w)
		}
	}
	return names
}

// heldElsewhere reports that another worker announces that it owns part.
func (p *Presence) heldElsewhere(part partition.ID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for w, peer := range p.peers {
		if _, holds := peer.holds[part]; holds && w != p.cfg.Worker {
			return true
		}
	}
	return false
}

// forgetHeld reports that this worker has owned part since it was last asked.
func (p *Presence) forgetHeld(part partition.ID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	held := p.held[part]
	delete(p.held, part)
	return held
}
