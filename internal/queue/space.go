package queue

import (
	"context"
	"sync"
	"time"

	"github.com/chatlane/chatlane/internal/lane"
)

// space is one parked lane, or one that is being swept.
type space struct {
	filling sync.Mutex  // held while copies are written, and while it is given up
	timer   *time.Timer // wakes it; nil for a lane that floods, or is being swept
	until   time.Time   // when that is to happen
	who     uint64      // the update that waits for it, by its place in UPDATES
	held    int         // how often it has been given a time
	awake   bool        // the job that empties it has been queued
	unread  bool        // an earlier owner parked it: for how long says its newest copy
}

// wait is how long a lane waits, and for which of its updates. When that one is done,
// the others wait no more.
type wait struct {
	left time.Duration
	who  uint64 // its place in UPDATES
}

// space is nil for a lane that is neither parked nor being swept.
func (l *lot) space(k lane.Key) *space {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lanes[k]
}

// hold parks a lane, and queues the job that empties it when the time has come.
func (l *lot) hold(k lane.Key, w wait) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.set(k, w)
}

// inherit parks a lane that an earlier owner parked. Nobody here knows yet how long it has
// to wait, so it looks at once.
func (l *lot) inherit(k lane.Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.set(k, wait{}); s != nil {
		s.unread = true
	}
}

// set gives a lane its time. It needs the lot's mu, and returns nil when the term is over.
func (l *lot) set(k lane.Key, w wait) *space {
	if l.closed {
		return nil
	}
	s := l.lanes[k]
	if s == nil {
		s = &space{}
		l.lanes[k] = s
	}
	s.stop()
	s.until, s.who = time.Now().Add(w.left), w.who
	s.awake = false
	s.held++
	held := s.held
	s.timer = time.AfterFunc(max(w.left, 0), func() { l.due(s, k, held) })
	return s
}

// due wakes a lane when its time has come, unless it has another one by now.
func (l *lot) due(s *space, k lane.Key, held int) {
	l.mu.Lock()
	due := s.held == held && l.lanes[k] == s
	s.awake = s.awake || due
	l.mu.Unlock()
	if due {
		_ = l.submit(k, l.empty(k))
	}
}

// wake queues the emptying; a term that ends meanwhile leaves it to the next owner.
func (l *lot) wake(k lane.Key) {
	l.mu.Lock()
	if s := l.lanes[k]; s != nil {
		s.awake = true
	}
	l.mu.Unlock()
	_ = l.submit(k, l.empty(k))
}

// rewake queues again what a resynchronisation may have discarded. To empty a
// lane that is empty already does nothing, nor does it where the lane has been given
// another time since.
func (l *lot) rewake() {
	for _, k := range l.awake() {
		_ = l.submit(k, l.empty(k))
	}
}

func (l *lot) awake() []lane.Key {
	l.mu.Lock()
	defer l.mu.Unlock()
	var keys []lane.Key
	for k, s := range l.lanes {
		if s.awake {
			keys = append(keys, k)
		}
	}
	return keys
}

func (l *lot) isAwake(k lane.Key) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.lanes[k]
	return s != nil && s.awake
}

// waits tells how long a lane has still to wait. What an earlier owner said of it is read
// first, once; an operator who frees it meanwhile is heeded.
func (l *lot) waits(ctx context.Context, k lane.Key) (wait, error) {
	w, unread := l.known(k)
	if !unread {
		return w, nil
	}
	w, err := l.said(ctx, k)
	if err != nil {
		return wait{}, err
	}
	l.learn(k, w)
	w, _ = l.known(k)
	return w, nil
}

// learn notes what an earlier owner said.
func (l *lot) learn(k lane.Key, w wait) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.lanes[k]; s != nil && s.unread {
		s.until, s.who, s.unread = time.Now().Add(w.left), w.who, false
	}
}

// known is what this owner knows of it.
func (l *lot) known(k lane.Key) (w wait, unread bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.lanes[k]
	if s == nil {
		return wait{}, false
	}
	return wait{max(0, time.Until(s.until)), s.who}, s.unread
}

// free wakes a parked lane now, however long it would have waited; false for any other.
func (l *lot) free(k lane.Key) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.lanes[k]
	if s == nil || s.timer == nil && !s.awake {
		return false
	}
	l.set(k, wait{})
	s.unread = false
	return true
}

func (l *lot) release(k lane.Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.lanes[k]; s != nil {
		s.stop()
	}
	delete(l.lanes, k)
}

// close stops the timers; what is parked stays in the stream.
func (l *lot) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, s := range l.lanes {
		s.stop()
	}
}

// stop needs the lot's mu.
func (s *space) stop() {
	if s.timer != nil {
		s.timer.Stop()
	}
}
