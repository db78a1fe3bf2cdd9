package parking

import (
	"context"
	"sync"
	"time"

	"github.com/chatlane/chatlane/internal/lane"
)

// parkedLane is one parked lane, or one whose orphaned copies are being pruned.
type parkedLane struct {
	filling sync.Mutex  // held while copies are written, and while the lane is unparked
	timer   *time.Timer // wakes the lane; nil while it floods, or is being pruned
	until   time.Time   // when that happens
	waiting uint64      // stream sequence of the update that the lane waits for
	holds   int         // how often the lane was given a time
	awake   bool        // the job that works it off is queued
	unread  bool        // an earlier owner parked it, and its time has not been read
}

// wait is how long a lane waits, and for which of its updates. When that one is done,
// the others wait no more.
type wait struct {
	left    time.Duration
	waiting uint64 // its sequence in UPDATES
}

// parkedLane is nil for a lane that is neither parked nor being pruned.
func (l *Lanes) parkedLane(k lane.Key) *parkedLane {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.parked[k]
}

// enter parks a lane, unless it is parked, and locks it for filling.
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

// unpark lets the lane's updates run in place again.
func (l *Lanes) unpark(k lane.Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.parked[k]; p != nil {
		p.stop()
	}
	delete(l.parked, k)
}

// hold gives a lane its time, and parks it if it is not. The job that works it off is
// queued then.
func (l *Lanes) hold(k lane.Key, w wait) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.holdLocked(k, w)
}

// inherit parks a lane that an earlier owner parked. Its time is not known yet, so it
// wakes at once, and reads it.
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

// due wakes a lane when its time has come, unless it was given another one meanwhile.
func (l *Lanes) due(p *parkedLane, k lane.Key, holds int) {
	l.mu.Lock()
	due := p.holds == holds && l.parked[k] == p
	p.awake = p.awake || due
	l.mu.Unlock()
	if due {
		l.submitWork(k)
	}
}

// wake queues the lane's work at once.
func (l *Lanes) wake(k lane.Key) {
	l.mu.Lock()
	if p := l.parked[k]; p != nil {
		p.awake = true
	}
	l.mu.Unlock()
	l.submitWork(k)
}

// rewake queues the work of all lanes that are awake again. Work on a lane that is
// empty, or was given another time, does nothing.
func (l *Lanes) rewake() {
	for _, k := range l.awake() {
		l.submitWork(k)
	}
}

// submitWork leaves the lane to the next owner where the term ends meanwhile.
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

// waitOf is how long a lane has still to wait. Where an earlier owner parked it, that is
// read first, once; a lane that is freed meanwhile does not wait.
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

// learn notes the time that was read, unless the lane was freed meanwhile.
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
