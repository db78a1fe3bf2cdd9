package parking

import (
	"context"
	"sync"
	"time"

	"github.com/chatlane/chatlane/internal/lane"
)

// parkedLane is a parked lane, or one whose orphaned copies are being pruned.
type parkedLane struct {
	filling sync.Mutex  // held while copies are written, and to unpark the lane
	timer   *time.Timer // wakes the lane; nil while it floods or is being pruned
	until   time.Time   // when that happens
	waiting uint64      // stream sequence of the update that the lane waits for
	holds   int         // how often the lane was given a time
	awake   bool        // the job that works it off is queued
	unread  bool        // an earlier owner parked it; its time is not read yet
}

// wait is how long a lane waits, and for which update. Once that is done, the others do not wait.
type wait struct {
	left    time.Duration
	waiting uint64 // its sequence in UPDATES
}

func (l *Lanes) parkedLane(k lane.Key) *parkedLane {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.parked[k]
}

// enter parks a lane unless it is parked, and locks it for filling.
func (l *Lanes) enter(k lane.Key) (p *parkedLane, fresh bool) {
	for {
		l.mu.Lock()
		p = l.parked[k]
		if p == nil {
			p = &parkedLane{}
			p.filling.Lock()
			l.parked[k] = p
			l.mu.Unlock()
			return p, true
		}
		l.mu.Unlock()
		p.filling.Lock()
		if l.parkedLane(k) == p {
			return p, false
		}
		p.filling.Unlock()
	}
}

func (l *Lanes) unpark(k lane.Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.parked[k]; p != nil {
		p.stop()
	}
	delete(l.parked, k)
}

func (l *Lanes) hold(k lane.Key, w wait) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.holdLocked(k, w)
}

// inherit parks a lane of an earlier owner. It wakes at once to read its time.
func (l *Lanes) inherit(k lane.Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.holdLocked(k, wait{}); p != nil {
		p.unread = true
	}
}

// holdLocked returns nil when the term is over.
func (l *Lanes) holdLocked(k lane.Key, w wait) *parkedLane {
	if l.closed {
		return nil
	}
	p := l.parked[k]
	if p == nil {
		p = &parkedLane{}
		l.parked[k] = p
	}
	p.stop()
	p.until, p.waiting = time.Now().Add(w.left), w.waiting
	p.awake = false
	p.holds++
	holds := p.holds
	p.timer = time.AfterFunc(max(w.left, 0), func() { l.due(p, k, holds) })
	return p
}

func (l *Lanes) due(p *parkedLane, k lane.Key, holds int) {
	l.mu.Lock()
	due := p.holds == holds && l.parked[k] == p
	p.awake = p.awake || due
	l.mu.Unlock()
	if due {
		l.submitWork(k)
	}
}

func (l *Lanes) wake(k lane.Key) {
	l.mu.Lock()
	if p := l.parked[k]; p != nil {
		p.awake = true
	}
	l.mu.Unlock()
	l.submitWork(k)
}

// rewake queues the work of awake lanes again. Needless work does nothing.
func (l *Lanes) rewake() {
	for _, k := range l.awake() {
		l.submitWork(k)
	}
}

func (l *Lanes) submitWork(k lane.Key) { _ = l.term.Submit(k, l.work(k)) }

func (l *Lanes) awake() []lane.Key {
	l.mu.Lock()
	defer l.mu.Unlock()
	var keys []lane.Key
	for k, p := range l.parked {
		if p.awake {
			keys = append(keys, k)
		}
	}
	return keys
}

func (l *Lanes) isAwake(k lane.Key) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.parked[k]
	return p != nil && p.awake
}

// waitOf is how long a lane still waits. An inherited lane's time is read first, once; a freed lane does not wait.
func (l *Lanes) waitOf(ctx context.Context, k lane.Key) (wait, error) {
	w, unread := l.known(k)
	if !unread {
		return w, nil
	}
	w, err := l.storedWait(ctx, k)
	if err != nil {
		return wait{}, err
	}
	l.learn(k, w)
	w, _ = l.known(k)
	return w, nil
}

func (l *Lanes) learn(k lane.Key, w wait) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.parked[k]; p != nil && p.unread {
		p.until, p.waiting, p.unread = time.Now().Add(w.left), w.waiting, false
	}
}

// known is the wait without asking the broker.
func (l *Lanes) known(k lane.Key) (w wait, unread bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.parked[k]
	if p == nil {
		return wait{}, false
	}
	return wait{max(0, time.Until(p.until)), p.waiting}, p.unread
}

// stop needs Lanes.mu.
func (p *parkedLane) stop() {
	if p.timer != nil {
		p.timer.Stop()
	}
}
