package kvstore

import (
	"cmp"
	"fmt"
	"regexp"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Config of a store. The zero value is usable.
type Config struct {
	Bucket     string        // empty means "chatlane_state"
	Replicas   int           // of the bucket, when it is made; 0 means 1
	MaxBytes   int64         // size at which the bucket refuses writes; 0 means no bound
	LockTTL    time.Duration // without renewal; 0 means 2 s
	StateTTL   time.Duration // of a conversation without updates, 1 s or more; 0 means for ever
	LaneTTL    time.Duration // of a lane's record after its last write; 0 means 7 days
	SeenWindow time.Duration // how long update ids are remembered; 0 means 24 h
	SeenMax    int           // update ids remembered by lane; 0 means 256
	PollMin    time.Duration // first wait for a busy lock, doubled each time; 0 means 5 ms
	PollMax    time.Duration // longest wait for a busy lock; 0 means 100 ms
	Timeout    time.Duration // for each request: a lost one gets no answer; 0 means 2 s

	Registerer prometheus.Registerer // may be nil
}

func (c Config) withDefaults() Config {
	c.Bucket = cmp.Or(c.Bucket, "chatlane_state")
	c.Replicas = cmp.Or(c.Replicas, 1)
	c.LockTTL = cmp.Or(c.LockTTL, 2*time.Second)
	c.LaneTTL = cmp.Or(c.LaneTTL, 7*24*time.Hour)
	c.SeenWindow = cmp.Or(c.SeenWindow, 24*time.Hour)
	c.SeenMax = cmp.Or(c.SeenMax, 256)
	c.PollMin = cmp.Or(c.PollMin, 5*time.Millisecond)
	c.PollMax = cmp.Or(c.PollMax, 100*time.Millisecond)
	c.Timeout = cmp.Or(c.Timeout, 2*time.Second)
	return c
}

// Validate returns an error that names the setting that is out of range.
func (c Config) Validate() error {
	c = c.withDefaults()
	switch {
	case !regexp.MustCompile(`^[a-zA-Z0-9_-]+$`).MatchString(c.Bucket):
		return fmt.Errorf("bucket %q: want letters, digits, - and _", c.Bucket)
	case c.LockTTL < 50*time.Millisecond:
		return fmt.Errorf("CHATLANE_LOCK_TTL is %v: want 50ms or more, such as 2s", c.LockTTL)
	case c.StateTTL != 0 && c.StateTTL < time.Second:
		return fmt.Errorf("CHATLANE_STATE_TTL is %v: want 0, or 1s or more", c.StateTTL)
	}
	return nil
}
