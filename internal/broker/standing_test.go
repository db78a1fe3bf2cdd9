package broker_test

import (
	"errors"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/broker"
)

// Only letters that made room count: not what aged, and not what a person dropped from a stream that has room.
func TestDroppedCountsWhatMadeRoom(t *testing.T) {
	t.Parallel()
	now := time.Now()
	full := broker.Standing{First: 10, FirstAt: now.Add(-time.Hour), Bytes: 1<<30 - 1, Bound: 1 << 30, MaxAge: 24 * time.Hour, Created: now.Add(-48 * time.Hour)}
	with := func(s broker.Standing, change func(*broker.Standing)) broker.Standing { change(&s); return s }
	after := with(full, func(s *broker.Standing) { s.First = 15 })
	for _, tt := range []struct {
		name          string
		before, after broker.Standing
		want          uint64
	}{
		{"full", full, after, 5},
		{"nothing before", broker.Standing{}, after, 0},
		{"filled since", with(full, func(s *broker.Standing) { s.Bytes = 0 }), after, 5},
		{"empty before", with(full, func(s *broker.Standing) { s.Bytes, s.FirstAt = 0, time.Time{} }), after, 5},
		{"dropped by a person", full, with(after, func(s *broker.Standing) { s.Bytes -= 3 << 20 }), 0},
		{"dropped from one that is three quarters full", with(full, func(s *broker.Standing) { s.Bytes = s.Bound - s.Bound/5 }), with(after, func(s *broker.Standing) { s.Bytes = s.Bound - s.Bound/5 - 1 }), 0},
		{"aged", with(full, func(s *broker.Standing) { s.FirstAt = now.Add(-24 * time.Hour) }), after, 0},
		{"no bound", full, with(after, func(s *broker.Standing) { s.Bound = -1 }), 0},
		{"another stream", full, with(after, func(s *broker.Standing) { s.Created = now }), 0},
	} {
		if n := tt.after.Dropped(tt.before, now); n != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, n, tt.want)
		}
	}
}

// A program that runs goes on with another bound, but not with another layout; a difference of one stream keeps no other from being made.
func TestRestoreTellsLayoutsFromBounds(t *testing.T) {
	t.Parallel()
	c := connect(t)
	if err := c.Ensure(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	if err := c.JetStream().DeleteStream(t.Context(), broker.Names{}.Timers()); err != nil {
		t.Fatal(err)
	}
	bound, layout := one, one
	bound.MaxBytes = 2 << 30
	layout.MaxBytes, layout.Partitions = 2<<30, 7
	always := func(string) error { return nil }
	found, err := c.Restore(t.Context(), bound, always)
	if !errors.Is(err, broker.ErrTopology) || errors.Is(err, broker.ErrLayout) || len(found) != 4 {
		t.Errorf("another bound: %d streams, %v", len(found), err)
	}
	if _, err = c.Restore(t.Context(), layout, always); !errors.Is(err, broker.ErrLayout) || !errors.Is(err, broker.ErrTopology) {
		t.Errorf("another number of partitions: %v", err)
	}
	if err := c.JetStream().DeleteStream(t.Context(), broker.Names{}.Updates()); err != nil {
		t.Fatal(err)
	}
	no := errors.New("not now")
	if found, err = c.Restore(t.Context(), bound, func(string) error { return no }); !errors.Is(err, no) || len(found) != 3 {
		t.Errorf("not allowed: %d streams, %v", len(found), err)
	}
}
