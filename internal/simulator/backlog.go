package simulator

import (
	"container/heap"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Telegram drops updates over this size, in bytes.
const maxUpdate = 512 << 10

type update struct {
	id      int64
	kind    string
	body    []byte
	expires time.Time
	gone    bool // delivered, confirmed or dropped
	queue   *queue
}

// queue is Telegram's webhook queue: only its first update may be in flight.
type queue struct {
	key     int64
	updates []*update
	fails   int // of the first update
	due     time.Time
	rank    uint64 // order among those due at once
	index   int    // in the heap, -1 if not there
	loaded  bool
}

type backlog struct {
	mu       sync.Mutex
	limit    int
	lastID   int64
	webhook  *webhook
	queues   map[int64]*queue
	unloaded []*queue // not loaded yet, in order
	loaded   int
	ready    sendHeap
	ranks    uint64
	order    []*update // all, for getUpdates
	left     int
	copies   int // second copies under way
	sent     Sent

	changed chan struct{} // wakes the sender
	quiet   broadcast     // something was delivered or dropped
	news    broadcast     // something was pushed
}

// Sent adds up what a webhook sender did.
type Sent struct {
	Delivered, Dropped, Failed, Copies, Connections int
}

func newBacklog(limit int, firstID int64) *backlog {
	return &backlog{limit: limit, lastID: firstID, queues: make(map[int64]*queue), changed: make(chan struct{}, 1)}
}

func (b *backlog) push(kind string, p *probe, payload json.RawMessage) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.webhook.takes(kind) {
		return 0
	}
	b.lastID++
	b.add(b.lastID, kind, p, payload)
	return b.lastID
}

func (b *backlog) add(id int64, kind string, p *probe, payload json.RawMessage) {
	now := time.Now()
	u := &update{id: id, kind: kind}
	u.body = fmt.Appendf(make([]byte, 0, len(payload)+len(kind)+32), "{\"update_id\":%d,\n%q:%s}", u.id, kind, payload)
	if len(u.body) > maxUpdate || b.left >= b.limit {
		return // Telegram drops it silently
	}
	var key int64
	key, u.expires = route(kind, p, u.id, now)
	b.left++
	b.order = append(b.order, u)
	q := b.queues[key]
	if q == nil {
		q = &queue{key: key, due: now, index: -1}
		b.queues[key] = q
		b.unloaded = append(b.unloaded, q)
	}
	u.queue = q
	q.updates = append(q.updates, u)
	b.load()
	b.news.send()
}

// load loads queues, up to twice as many as there may be connections.
func (b *backlog) load() {
	for len(b.unloaded) > 0 && b.loaded < 2*b.webhook.cfg.MaxConnections {
		q := b.unloaded[0]
		b.unloaded = b.unloaded[1:]
		if len(q.updates) == 0 {
			continue // confirmed meanwhile
		}
		q.loaded = true
		b.loaded++
		b.schedule(q)
	}
	b.wake()
}

func (b *backlog) schedule(q *queue) {
	b.ranks++
	q.rank = b.ranks
	heap.Push(&b.ready, q)
}

func (b *backlog) wake() {
	select {
	case b.changed <- struct{}{}:
	default:
	}
}

// take returns the queue whose first update is due, else the time until one is; -1 if none.
func (b *backlog) take(now time.Time) (q *queue, wait time.Duration) {
	if len(b.ready) == 0 {
		return nil, -1
	}
	if wait := b.ready[0].due.Sub(now); wait > 0 {
		return nil, wait
	}
	q = heap.Pop(&b.ready).(*queue)
	return q, 0
}

func (b *backlog) finish(q *queue, now time.Time) {
	u := q.updates[0]
	q.updates[0] = nil
	q.updates = q.updates[1:]
	q.fails, q.due = 0, now
	u.gone = true
	b.left--
	b.forget()
	if len(q.updates) > 0 {
		if q.loaded {
			b.schedule(q)
		}
	} else {
		delete(b.queues, q.key)
		if q.loaded {
			b.loaded--
			b.load()
		}
	}
	b.quiet.send()
}

func (b *backlog) forget() {
	for len(b.order) > 0 && b.order[0].gone {
		b.order[0] = nil
		b.order = b.order[1:]
	}
	if len(b.order) > 2*b.left+1000 {
		b.order = slices.DeleteFunc(b.order, func(u *update) bool { return u.gone })
	}
}

func (b *backlog) confirm(below int64, n int) []json.RawMessage {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if below < 0 { // counted from the end
		below = b.lastID + 1 + below
	}
	var out []json.RawMessage
	var over []*update
	for _, u := range b.order {
		if len(out) == n {
			break
		}
		switch {
		case u.gone:
		case u.id < below || now.After(u.expires):
			over = append(over, u)
		default:
			out = append(out, u.body)
		}
	}
	for _, u := range over {
		b.end(u, now)
	}
	return out
}

func (b *backlog) end(u *update, now time.Time) {
	q := u.queue
	if len(q.updates) == 0 || q.updates[0] != u {
		return
	}
	if q.index >= 0 {
		heap.Remove(&b.ready, q.index)
	}
	b.finish(q, now)
}

func (b *backlog) clear() {
	for _, q := range b.queues {
		for _, u := range q.updates {
			u.gone = true
		}
	}
	b.queues, b.unloaded, b.ready, b.order = make(map[int64]*queue), nil, nil, nil
	b.left, b.loaded = 0, 0
	b.quiet.send()
}

type sendHeap []*queue

func (d *sendHeap) Len() int { return len(*d) }

func (d *sendHeap) Less(i, j int) bool {
	a, b := (*d)[i], (*d)[j]
	if !a.due.Equal(b.due) {
		return a.due.Before(b.due)
	}
	return a.rank < b.rank
}

func (d *sendHeap) Swap(i, j int) {
	q := *d
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

func (d *sendHeap) Push(x any) {
	q := x.(*queue)
	q.index = len(*d)
	*d = append(*d, q)
}

func (d *sendHeap) Pop() any {
	last := len(*d) - 1
	q := (*d)[last]
	(*d)[last] = nil
	*d = (*d)[:last]
	q.index = -1
	return q
}
