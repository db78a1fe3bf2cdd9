package queue

import (
	"context"
	"sync"
	"time"

	"github.com/chatlane/chatlane/internal/lane"
)

// space is one parked lane.
type space struct {
	filling sync.Mutex  // held while copies are written, and while it is given up
	timer   *time.Timer // wakes it; nil for a lane that was parked because it floods
	until   time.Time   // when that is to happen
	held    int         // how often it has been given a time
	awake   bool        // the job that empties it has been queued
	unread  bool        // an earlier owner parked it: for how long says its newest copy
}

// hold parks a lane, and queues the job that empties it when the time has come.
func (l *lot) hold(k lane.Key, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	s := l.lanes[k]
	if s == nil {
		s = &space{}
		l.lanes[k] = s
	}
	s.stop()
	s.awake = false
	s.until = time.Now().Add(wait)
	s.held++
	held := s.held
	s.timer = time.AfterFunc(max(wait, 0), func() { l.due(s, k, held) })
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

// unread notes that nobody here knows yet how long the lane has to wait.
func (l *lot) unread(k lane.Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.lanes[k]; s != nil {
		s.unread = true
	}
}

// read tells how long a lane has still to wait that an earlier owner parked, once.
func (l *lot) read(ctx context.Context, k lane.Key) (left time.Duration, err error) {
	s := l.space(k)
	if s == nil || !l.isUnread(s) {
		return 0, nil
	}
	if left, err = l.newest(ctx, k); err != nil {
		return 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s.unread = false
	return left, nil
}

func (l *lot) isUnread(s *space) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return s.unread
}

// left is how long a lane has still to wait; nothing if it has no space.
func (l *lot) left(s *space) time.Duration {
	if s == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(0, time.Until(s.until))
}

func (l *lot) isAwake(k lane.Key) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.lanes[k]
	return s != nil && s.awake
}

// stop needs the lot's mu.
func (s *space) stop() {
	if s.timer != nil {
		s.timer.Stop()
	}
}

// wake queues the emptying; a term that ends meanwhile leaves it to the next owner.
func (l *lot) wake(k lane.Key) {
	l.mu.Lock()
	if s := l.lanes[k]; s != nil {
		s.awake, s.until = true, time.Time{}
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
