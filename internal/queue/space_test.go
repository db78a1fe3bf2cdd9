package queue

import (
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/lane"
)

// spaces is a lot that does nothing of what it submits.
func spaces(t *testing.T) (l *lot, submitted *int) {
	t.Helper()
	l, submitted = &lot{lanes: make(map[lane.Key]*space)}, new(int)
	l.submit = func(lane.Key, lane.Job) error { *submitted++; return nil }
	t.Cleanup(l.close)
	return l, submitted
}

const here, there = lane.Key("42:c:1"), lane.Key("42:c:2")

// A timer that has fired already wakes no lane that was given another time meanwhile.
func TestTimerThatIsOutOfDateWakesNoLane(t *testing.T) {
	l, submitted := spaces(t)
	l.hold(here, wait{left: time.Hour})
	s := l.space(here)
	l.hold(here, wait{left: time.Hour})
	l.due(s, here, 1)
	if *submitted != 0 || l.isAwake(here) {
		t.Errorf("%d jobs submitted, awake: %v; want the lane to wait", *submitted, l.isAwake(here))
	}
	l.due(s, here, 2)
	if *submitted != 1 || !l.isAwake(here) {
		t.Errorf("%d jobs submitted, awake: %v; want it woken", *submitted, l.isAwake(here))
	}
}

// What a resynchronisation queues again leaves a lane asleep that was given another time
// while it did so.
func TestLanesAreWokenAgainOnlyIfTheyAreAwake(t *testing.T) {
	l, _ := spaces(t)
	for _, k := range []lane.Key{here, there} {
		l.hold(k, wait{left: time.Hour})
		l.wake(k)
	}
	var asleep lane.Key
	l.submit = func(k lane.Key, _ lane.Job) error {
		if asleep == "" { // the other one parks itself now
			asleep = map[lane.Key]lane.Key{here: there, there: here}[k]
			l.hold(asleep, wait{left: time.Hour})
		}
		return nil
	}
	l.rewake()
	if asleep == "" || l.isAwake(asleep) {
		t.Errorf("lane %q is awake, and was given an hour", asleep)
	}
}

// An operator who frees a lane while it is read how long an earlier owner let it wait
// is heeded.
func TestLaneThatIsFreedWhileItsTimeIsReadWaitsNoMore(t *testing.T) {
	l, _ := spaces(t)
	l.inherit(here)
	if !l.free(here) {
		t.Error("the lane is not freed")
	}
	l.learn(here, wait{left: time.Hour})
	if w, unread := l.known(here); w.left > 0 || unread {
		t.Errorf("it waits %v, unread: %v", w.left, unread)
	}
}

// A lane that is only being swept is not parked: there is nothing to free.
func TestLaneThatIsSweptIsNotFreed(t *testing.T) {
	l, _ := spaces(t)
	s, _ := l.enter(here)
	defer s.filling.Unlock()
	if l.free(here) || l.free(there) {
		t.Error("a lane is freed that is not parked")
	}
	l.wake(here) // a flood
	if !l.free(here) {
		t.Error("a flood is not freed")
	}
}
