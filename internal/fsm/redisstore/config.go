package redisstore

import (
	"cmp"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Config of a store. The zero value is usable.
type Config struct {
	Prefix     string        // of every key, before the first ":"; empty means "chatlane"
	LockTTL    time.Duration // of a lock without renewal; 0 means 2 s
	StateTTL   time.Duration // of a conversation without updates; 0 means for ever
	LaneTTL    time.Duration // of a lane's records after its last commit; 0 means 7 days
	SeenWindow time.Duration // how long update ids are remembered; 0 means 24 h
	SeenMax    int           // update ids remembered by lane; 0 means 1000
	PollMin    time.Duration // first wait for a busy lock, doubled each time; 0 means 5 ms
	PollMax    time.Duration // longest wait for a busy lock; 0 means 100 ms

	// WaitReplicas is how many replicas must have a commit within WaitTimeout (0 means 1 s). With
	// fewer it fails with ErrUnavailable, and the next attempt waits for them again.
	WaitReplicas int
	WaitTimeout  time.Duration

	Registerer prometheus.Registerer // may be nil
}

func (c Config) withDefaults() Config {
	c.Prefix = cmp.Or(c.Prefix, "chatlane")
	c.LockTTL = cmp.Or(c.LockTTL, 2*time.Second)
	c.LaneTTL = cmp.Or(c.LaneTTL, 7*24*time.Hour)
	c.SeenWindow = cmp.Or(c.SeenWindow, 24*time.Hour)
	c.SeenMax = cmp.Or(c.SeenMax, 1000)
	c.PollMin = cmp.Or(c.PollMin, 5*time.Millisecond)
	c.PollMax = cmp.Or(c.PollMax, 100*time.Millisecond)
	c.WaitTimeout = cmp.Or(c.WaitTimeout, time.Second)
	return c
}

// Validate returns an error that names the setting that is out of range.
func (c Config) Validate() error {
	switch {
	case c.LockTTL != 0 && c.LockTTL < 50*time.Millisecond:
		return fmt.Errorf("CHATLANE_LOCK_TTL is %v: want 50ms or more, such as 2s", c.LockTTL)
	case c.StateTTL < 0:
		return fmt.Errorf("CHATLANE_STATE_TTL is %v: want 0 or more", c.StateTTL)
	case c.WaitReplicas < 0:
		return fmt.Errorf("CHATLANE_REDIS_WAIT_REPLICAS is %d: want 0 or more", c.WaitReplicas)
	}
	return nil
}
