package turn

import (
	"fmt"
	"time"

	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/lane"
)

// Config says how turns are run. The zero value is usable.
type Config struct {
	LaneKey     lane.By
	Strategy    fsm.Strategy
	Deadline    time.Duration // for one attempt of a handler, from dispatch; 0 means 30 s
	Grace       time.Duration // a handler that ignores its deadline is abandoned after so long; 0 means 5 s
	OpenWait    time.Duration // for a lock that another holds; 0 means 10 s
	MaxAttempts int           // then the update is a dead letter; 0 means 5
	MinBackoff  time.Duration // before the second attempt, then 4 times as long each; 0 means 250 ms
	MaxBackoff  time.Duration // 0 means 5 min
	// ParkAfter is the longest wait that a lane does in place; for a longer one it
	// is parked. 0 means 2 s.
	ParkAfter time.Duration
	MaxUrgent int // urgent handlers that run at once, beside the lanes; 0 means 256
	// Freshness gives the age after which an update of a type is of no use; 0 means
	// never. Nil means none is ever stale.
	Freshness func(updateType string) time.Duration
}

func (c Config) withDefaults() Config {
	c.Deadline = orElse(c.Deadline, 30*time.Second)
	c.Grace = orElse(c.Grace, 5*time.Second)
	c.OpenWait = orElse(c.OpenWait, 10*time.Second)
	c.MinBackoff = orElse(c.MinBackoff, 250*time.Millisecond)
	c.MaxBackoff = orElse(c.MaxBackoff, 5*time.Minute)
	c.ParkAfter = orElse(c.ParkAfter, 2*time.Second)
	if c.MaxUrgent == 0 {
		c.MaxUrgent = 256
	}
	if c.MaxAttempts == 0 {
		c.MaxAttempts = 5
	}
	if c.Freshness == nil {
		c.Freshness = func(string) time.Duration { return 0 }
	}
	return c
}

// Validate names what is out of range.
func (c Config) Validate() error {
	if c.MaxAttempts < 0 {
		return fmt.Errorf("CHATLANE_MAX_ATTEMPTS is %d: want 1 or more", c.MaxAttempts)
	}
	if c.MinBackoff > c.MaxBackoff && c.MaxBackoff != 0 {
		return fmt.Errorf("CHATLANE_MIN_BACKOFF is %v: want at most CHATLANE_MAX_BACKOFF, %v", c.MinBackoff, c.MaxBackoff)
	}
	return nil
}

func orElse(v, other time.Duration) time.Duration {
	if v == 0 {
		return other
	}
	return v
}
