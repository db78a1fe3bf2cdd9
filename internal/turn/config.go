package turn

import (
	"cmp"
	"fmt"
	"time"

	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/telegram/api"
)

// Config says how turns run. The zero value has the defaults.
type Config struct {
	LaneKey     lane.By
	Strategy    fsm.Strategy
	Deadline    time.Duration // of one attempt of a handler; 0 means 30 s
	Grace       time.Duration // for a handler past its deadline, then it is abandoned; 0 means 5 s
	OpenWait    time.Duration // for the lane's lock and the store; 0 means 10 s
	MaxAttempts int           // then the update is a dead letter; 0 means 5
	MinBackoff  time.Duration // before the second attempt, then 4 times as long each; 0 means 250 ms
	MaxBackoff  time.Duration // 0 means 5 min
	ParkAfter   time.Duration // longer waits park the lane; 0 means 2 s
	FloodWait   time.Duration // longer waits of a 429 are told to the handler; 0 means 3 min
	MaxUrgent   int           // urgent handlers at once, outside the lanes' slots; 0 means 256
	// AnswerWithin is the age by which a type's updates should be answered; 0 or nil: none. It only counts.
	AnswerWithin func(updateType string) time.Duration
	// SkipAfter is the age after which a type's updates get no answer; 0 or nil means never.
	SkipAfter func(updateType string) time.Duration
}

func (c Config) withDefaults() Config {
	c.Deadline = cmp.Or(c.Deadline, 30*time.Second)
	c.Grace = cmp.Or(c.Grace, 5*time.Second)
	c.OpenWait = cmp.Or(c.OpenWait, 10*time.Second)
	c.MaxAttempts = cmp.Or(c.MaxAttempts, 5)
	c.MinBackoff = cmp.Or(c.MinBackoff, 250*time.Millisecond)
	c.MaxBackoff = cmp.Or(c.MaxBackoff, 5*time.Minute)
	c.ParkAfter = cmp.Or(c.ParkAfter, 2*time.Second)
	c.FloodWait = cmp.Or(c.FloodWait, api.FloodWait)
	c.MaxUrgent = cmp.Or(c.MaxUrgent, 256)
	never := func(string) time.Duration { return 0 }
	if c.AnswerWithin == nil {
		c.AnswerWithin = never
	}
	if c.SkipAfter == nil {
		c.SkipAfter = never
	}
	return c
}

// Validate names the variable that is out of range.
func (c Config) Validate() error {
	if c.MaxAttempts < 0 {
		return fmt.Errorf("CHATLANE_MAX_ATTEMPTS is %d: want 1 or more", c.MaxAttempts)
	}
	if c.MinBackoff > c.MaxBackoff && c.MaxBackoff != 0 {
		return fmt.Errorf("CHATLANE_MIN_BACKOFF is %v: want at most CHATLANE_MAX_BACKOFF, %v", c.MinBackoff, c.MaxBackoff)
	}
	return nil
}
