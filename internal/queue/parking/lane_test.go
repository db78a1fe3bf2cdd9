package parking

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/lane"
)

// fakeTerm runs nothing.
type fakeTerm struct{ submitted func(lane.Key) }

func (f *fakeTerm) Submit(k lane.Key, _ lane.Job) error { f.submitted(k); return nil }
func (f *fakeTerm) Confirm(context.Context) error       { return nil }

// parked makes lanes whose work is counted and not done.
func parked(t *testing.T) (l *Lanes, term *fakeTerm, submitted *int) {
	t.Helper()
	submitted = new(int)
	term = &fakeTerm{func(lane.Key) { *submitted++ }}
	l = New(Config{Metrics: NewMetrics(nil), Logger: slog.New(slog.DiscardHandler)}, nil, term)
	t.Cleanup(l.Close)
	return l, term, submitted
}

const here, there = lane.Key("42:c:1"), lane.Key("42:c:2")

func TestTimerThatIsOutOfDateWakesNoLane(t *testing.T) {
	l, _, submitted := parked(t)
	l.hold(here, wait{left: time.Hour})
	p := l.parkedLane(here)
	l.hold(here, wait{left: time.Hour})
	l.due(p, here, 1)
	if *submitted != 0 || l.isAwake(here) {
		t.Errorf("%d jobs submitted, awake: %v; want the lane to wait", *submitted, l.isAwake(here))
	}
	l.due(p, here, 2)
	if *submitted != 1 || !l.isAwake(here) {
		t.Errorf("%d jobs submitted, awake: %v; want it woken", *submitted, l.isAwake(here))
	}
}

func TestLanesAreWokenAgainOnlyIfTheyAreAwake(t *testing.T) {
	l, term, _ := parked(t)
	for _, k := range []lane.Key{here, there} {
		l.hold(k, wait{left: time.Hour})
		l.wake(k)
	}
	var asleep lane.Key
	term.submitted = func(k lane.Key) {
		if asleep == "" { // the other one parks itself now
			asleep = map[lane.Key]lane.Key{here: there, there: here}[k]
			l.hold(asleep, wait{left: time.Hour})
		}
	}
	l.rewake()
	if asleep == "" || l.isAwake(asleep) {
		t.Errorf("lane %q is awake, and was given an hour", asleep)
	}
}

func TestLaneThatIsFreedWhileItsTimeIsReadWaitsNoMore(t *testing.T) {
	l, _, _ := parked(t)
	l.inherit(here)
	if !l.free(here) {
		t.Error("the lane is not freed")
	}
	l.learn(here, wait{left: time.Hour})
	if w, unread := l.known(here); w.left > 0 || unread {
		t.Errorf("it waits %v, unread: %v", w.left, unread)
	}
}

// Only its orphaned copies are pruned: nothing is parked.
func TestLaneThatIsPrunedIsNotFreed(t *testing.T) {
	l, _, _ := parked(t)
	p, _ := l.enter(here)
	defer p.filling.Unlock()
	if l.free(here) || l.free(there) {
		t.Error("a lane is freed that is not parked")
	}
	l.wake(here) // a flood
	if !l.free(here) {
		t.Error("a flood is not freed")
	}
}
