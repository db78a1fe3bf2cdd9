package parking

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/queue"
)

// window holds what is delivered and not acknowledged.
type window struct {
	size int

	mu     sync.Mutex
	open   map[uint64]*entry // by stream sequence
	depth  map[lane.Key]int  // how many are one lane's
	moving map[lane.Key]bool // floods being moved
	acks   int               // since finished was called
	newest uint64            // stream sequence: no update of this term is behind it
}

type entry struct {
	*queue.Delivery
	attempt   queue.Attempt
	notBefore time.Time // its next attempt, if its copy could not be written

	begun bool // its attempts run in place; guarded by Lanes.mu, like
	moved bool // it waits in PARKED instead
}

func newWindow(size int, newest uint64) window {
	return window{size: size, newest: newest, open: make(map[uint64]*entry), depth: make(map[lane.Key]int), moving: make(map[lane.Key]bool)}
}

// A flood begins in a window three quarters full, with an eighth of it one lane's. Without such a
// lane it is load, and slows intake.
func crowded(open, size int) bool { return open > size*3/4 }
func floods(depth, size int) bool { return depth >= max(size/8, 2) }

// add returns a flood's entries in order if there is one now.
func (w *window) add(e *entry) (flood []*entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.newest = max(w.newest, e.Seq)
	w.open[e.Seq] = e
	w.depth[e.Lane]++
	if !crowded(len(w.open), w.size) {
		return nil
	}
	var deepest lane.Key
	for k, n := range w.depth {
		if n > w.depth[deepest] {
			deepest = k
		}
	}
	if w.moving[deepest] || !floods(w.depth[deepest], w.size) {
		return nil
	}
	w.moving[deepest] = true
	return w.ofLocked(deepest)
}

func (w *window) last() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.newest
}

func (w *window) relieved(k lane.Key) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.moving, k)
}

// remove leaves another delivery of the update alone, which a resync brought.
func (w *window) remove(d *queue.Delivery) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.acks++
	if e := w.open[d.Seq]; e == nil || e.Delivery != d {
		return
	}
	delete(w.open, d.Seq)
	if w.depth[d.Lane]--; w.depth[d.Lane] <= 0 {
		delete(w.depth, d.Lane)
	}
}

func (w *window) of(k lane.Key) []*entry {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ofLocked(k)
}

func (w *window) ofLocked(k lane.Key) []*entry {
	var es []*entry
	for _, e := range w.open {
		if e.Lane == k {
			es = append(es, e)
		}
	}
	slices.SortFunc(es, func(a, b *entry) int { return cmp.Compare(a.Seq, b.Seq) })
	return es
}

func (w *window) finished() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.acks
	w.acks = 0
	return n
}

func (w *window) held() (n int, oldest time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.open {
		oldest = max(oldest, e.Age())
	}
	return len(w.open), oldest
}

func (w *window) clear() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.open)
	clear(w.depth)
}
