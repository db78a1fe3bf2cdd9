package broker_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/natstest"
)

func connect(t *testing.T) *broker.Conn {
	t.Helper()
	c, err := broker.Connect(t.Context(), broker.Config{Options: []nats.Option{natstest.Start(t).Option()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(t.Context()) })
	return c
}

// unbounded makes DEADLETTERS as it was before it had a limit, with letters of 64 KiB.
func unbounded(t *testing.T, c *broker.Conn, letters int) {
	t.Helper()
	if err := c.Ensure(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	s, err := c.Stream(t.Context(), broker.Names{}.DeadLetters())
	if err != nil {
		t.Fatal(err)
	}
	cfg := s.CachedInfo().Config
	cfg.MaxBytes = -1
	if _, err := c.JetStream().UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	for range letters {
		if _, err := c.JetStream().Publish(t.Context(), "dead.0.42.c:1", make([]byte, 64<<10)); err != nil {
			t.Fatal(err)
		}
	}
}

func deadLetters(t *testing.T, c *broker.Conn) (limit int64, letters uint64) {
	t.Helper()
	s, err := c.Stream(t.Context(), broker.Names{}.DeadLetters())
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().Config.MaxBytes, s.CachedInfo().State.Msgs
}

// A full stream that was made when a full one refused letters takes them from the next start on.
func TestFullDeadLettersOfAnOlderVersionTakeLettersAgain(t *testing.T) {
	t.Parallel()
	c := connect(t)
	bounded := one
	bounded.DeadLettersMaxBytes = 1 << 20
	if err := c.Ensure(t.Context(), bounded); err != nil {
		t.Fatal(err)
	}
	s, err := c.Stream(t.Context(), broker.Names{}.DeadLetters())
	if err != nil {
		t.Fatal(err)
	}
	old := s.CachedInfo().Config
	old.Discard = jetstream.DiscardNew
	if _, err := c.JetStream().UpdateStream(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	put := func() error {
		_, err := c.JetStream().Publish(t.Context(), "dead.0.42.c:1", make([]byte, 64<<10))
		return err
	}
	for put() == nil { //nolint:revive // until it is full
	}
	if err := c.Ensure(t.Context(), bounded); err != nil {
		t.Fatal(err)
	}
	if err := put(); err != nil {
		t.Errorf("a letter after the start: %v", err)
	}
}

// A stream that stands gets its bound in place, and a higher one when it is set.
func TestStandingDeadLettersGetTheirBound(t *testing.T) {
	t.Parallel()
	c := connect(t)
	unbounded(t, c, 4)
	for _, limit := range []int64{1 << 20, 2 << 20} {
		wanted := one
		wanted.DeadLettersMaxBytes = limit
		if err := c.Ensure(t.Context(), wanted); err != nil {
			t.Fatal(err)
		}
		if have, letters := deadLetters(t, c); have != limit || letters != 4 {
			t.Errorf("limit %d with %d letters, want %d with 4", have, letters, limit)
		}
	}
}

// A bound below what is stored would make the broker drop the oldest letters.
func TestBoundThatWouldDropLettersIsRefused(t *testing.T) {
	t.Parallel()
	c := connect(t)
	unbounded(t, c, 20)
	wanted := one
	wanted.DeadLettersMaxBytes = 1 << 20
	err := c.Ensure(t.Context(), wanted)
	if !errors.Is(err, broker.ErrTopology) || !strings.Contains(err.Error(), "CHATLANE_DEAD_LETTERS_MAX_BYTES") {
		t.Errorf("%v, want ErrTopology that names the setting", err)
	}
	wanted.DeadLettersMaxBytes = 4 << 20
	if err := c.Ensure(t.Context(), wanted); err != nil {
		t.Fatal(err)
	}
	wanted.DeadLettersMaxBytes = 2 << 20
	if err := c.Ensure(t.Context(), wanted); !errors.Is(err, broker.ErrTopology) {
		t.Errorf("a lower bound: %v, want ErrTopology", err)
	}
	if have, letters := deadLetters(t, c); have != 4<<20 || letters != 20 {
		t.Errorf("limit %d with %d letters, want 4 MiB with 20", have, letters)
	}
}

// At its bound DEADLETTERS drops its oldest letters, so that a new one holds no lane; check says
// before that that it fills up, and what a full one means.
func TestFullDeadLettersDropTheOldestAndAreNamed(t *testing.T) {
	t.Parallel()
	c := connect(t)
	bounded := one
	bounded.DeadLettersMaxBytes = 1 << 20
	if err := c.Ensure(t.Context(), bounded); err != nil {
		t.Fatal(err)
	}
	const written = 30
	for range written {
		if _, err := c.JetStream().Publish(t.Context(), "dead.0.42.c:1", make([]byte, 64<<10)); err != nil {
			t.Fatal(err)
		}
	}
	if _, letters := deadLetters(t, c); letters < 10 || letters > 16 {
		t.Errorf("%d letters of 64 KiB are kept under 1 MiB", letters)
	}
	s, err := c.Stream(t.Context(), broker.Names{}.DeadLetters())
	if err != nil {
		t.Fatal(err)
	}
	if last := s.CachedInfo().State.LastSeq; last != written {
		t.Errorf("the newest letter is %d, want %d", last, written)
	}
	found, err := c.Preflight(t.Context(), bounded)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if f.Setting == "stream DEADLETTERS: bytes" && strings.Contains(f.Why, "replay or drop") {
			return
		}
	}
	t.Errorf("nobody is told that DEADLETTERS is nearly full: %+v", found)
}

// The broker's store must have room for all bounds: those that are still to be reserved, and
// that of TIMERS, which reserves nothing.
func TestPreflightAddsUpTheBounds(t *testing.T) {
	t.Parallel()
	const giB = int64(1) << 30
	for _, tt := range []struct {
		name            string
		limit, reserved int64
		standing        map[string]int64
		law             int
	}{
		{"no limit", -1, 0, nil, 0},
		{"room for all", 3*giB + giB/4, 0, nil, 0},
		{"no room for the timers", 3 * giB, 0, nil, 5},
		{"all stand", 3*giB + giB/4, 3 * giB, map[string]int64{broker.Names{}.Updates(): giB, broker.Names{}.Parked(): giB, broker.Names{}.DeadLetters(): giB}, 0},
		{"no room for a bound of the dead letters", 3 * giB, 2 * giB, map[string]int64{broker.Names{}.Updates(): giB, broker.Names{}.Parked(): giB}, 5},
		{"others have reserved", 4 * giB, 2 * giB, nil, 5},
	} {
		law := 0
		for _, f := range broker.Limits(one, tt.limit, tt.reserved, tt.standing) {
			law = f.Law
		}
		if law != tt.law {
			t.Errorf("%s: law %d, want %d", tt.name, law, tt.law)
		}
	}
}
