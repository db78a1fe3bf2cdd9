package fleet

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chatlane/chatlane/internal/partition"
)

const (
	metFor  = time.Minute     // an update's bot counts as met for this time, and up to twice as long
	needFor = 2 * time.Minute // a need that no heartbeat repeats is forgotten
	maxBots = 1 << 12         // that are believed of a worker, and bots that needs are kept of
)

// met notes the bots of a partition's updates. The hot path only reads.
type met struct {
	now, before atomic.Pointer[[]int64]
}

func (m *met) has(list *[]int64, bot int64) bool { return list != nil && slices.Contains(*list, bot) }

// add is for one goroutine at a time.
func (m *met) add(bot int64) {
	var list []int64
	if old := m.now.Load(); old != nil {
		list = *old
	}
	list = append(slices.Clip(list), bot)
	m.now.Store(&list)
}

// bots are the bots of updates, by partition.
type bots struct {
	mu      sync.Mutex // one writer at a time
	met     []met
	rotated time.Time
}

// Met notes that a partition has an update of a bot, whether this worker serves it or not. While workers differ in
// their bots, only those that serve the bot get the partition.
func (p *Presence) Met(part partition.ID, bot int64) {
	if int(part) >= len(p.bots.met) {
		return
	}
	m := &p.bots.met[part]
	if m.has(m.now.Load(), bot) {
		return
	}
	p.bots.mu.Lock()
	known := m.has(m.now.Load(), bot)
	if !known {
		m.add(bot)
	}
	p.bots.mu.Unlock()
	if !known && !m.has(m.before.Load(), bot) {
		p.update(func() {}) // the others learn of it soon
	}
}

// rotate forgets what was met two periods ago.
func (b *bots) rotate(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Sub(b.rotated) < metFor {
		return
	}
	b.rotated = now
	for i := range b.met {
		m := &b.met[i]
		m.before.Store(m.now.Swap(nil))
	}
}

// ServedElsewhere reports whether another worker serves a bot.
func (p *Presence) ServedElsewhere(bot int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, w := range p.peers {
		if name != p.cfg.Worker && !p.silent(w) && w.serves(bot) && w.bots != nil {
			return true
		}
	}
	return false
}

// Lacking are the bots that another worker serves and this one does not.
func (p *Presence) Lacking() []int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	var lacking []int64
	for bot := range p.contested() {
		if !slices.Contains(p.cfg.Bots, bot) {
			lacking = append(lacking, bot)
		}
	}
	slices.Sort(lacking)
	return lacking
}

// serves is true also for a worker that does not say which bots it serves.
func (w peer) serves(bot int64) bool {
	if w.bots == nil {
		return true
	}
	_, found := slices.BinarySearch(w.bots, bot)
	return found
}

// contested are the bots that some workers serve, and others do not. It needs p.mu.
func (p *Presence) contested() map[int64]bool {
	served, workers := make(map[int64]int), 0
	var same []int64
	for _, w := range p.peers {
		if w.bots == nil {
			continue
		}
		if workers++; workers == 1 {
			same = w.bots
		}
	}
	all := true
	for _, w := range p.peers {
		all = all && (w.bots == nil || slices.Equal(w.bots, same))
	}
	if all { // the usual case, without a map
		return nil
	}
	for _, w := range p.peers {
		for _, bot := range w.bots {
			served[bot]++
		}
	}
	contested := make(map[int64]bool)
	for bot, n := range served {
		if n < workers {
			contested[bot] = true
		}
	}
	return contested
}

// ownNeeds are the contested bots that this worker has met in the partitions that it holds. It needs p.mu.
func (p *Presence) ownNeeds() map[int64][]partition.ID {
	contested := p.contested()
	if len(contested) == 0 {
		return nil
	}
	needs := make(map[int64][]partition.ID)
	for _, part := range slices.Sorted(maps.Keys(p.holds)) {
		m := &p.bots.met[part]
		for bot := range contested {
			if m.has(m.now.Load(), bot) || m.has(m.before.Load(), bot) {
				needs[bot] = append(needs[bot], part)
			}
		}
	}
	return needs
}

// need is a bot whose updates a partition has.
type need struct {
	part partition.ID
	bot  int64
}

// learn keeps what a heartbeat says of needs, and reports whether one is new. It needs p.mu.
func (p *Presence) learn(needs map[int64][]partition.ID, now time.Time) (fresh bool) {
	for bot, parts := range needs {
		for _, part := range parts {
			if part < 0 || int(part) >= p.cfg.Partitions {
				continue
			}
			one := need{part, bot}
			if _, known := p.needs[one]; !known {
				if len(p.needs) >= maxBots {
					continue
				}
				fresh = true
			}
			p.needs[one] = now
		}
	}
	return fresh
}

// forgetNeeds drops the needs that no heartbeat repeats, and reports whether there were any. It needs p.mu.
func (p *Presence) forgetNeeds(now time.Time) bool {
	n := len(p.needs)
	maps.DeleteFunc(p.needs, func(_ need, at time.Time) bool { return now.Sub(at) > needFor })
	return len(p.needs) < n
}

// able is who may own a partition by the bots whose updates it has; nil for anybody. It needs p.mu.
func (p *Presence) able() func(worker string, part partition.ID) bool {
	contested := p.contested()
	lacking := make(map[partition.ID]map[string]bool)
	for one := range p.needs {
		if !contested[one.bot] {
			continue
		}
		for name, w := range p.peers {
			if !w.serves(one.bot) {
				if lacking[one.part] == nil {
					lacking[one.part] = make(map[string]bool)
				}
				lacking[one.part][name] = true
			}
		}
	}
	if len(lacking) == 0 {
		return nil
	}
	return func(worker string, part partition.ID) bool { return !lacking[part][worker] }
}
