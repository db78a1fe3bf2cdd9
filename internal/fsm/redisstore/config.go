package redisstore

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
)

// Config of a store. The zero value is usable.
type Config struct {
	LockTTL    time.Duration // life of a lock without renewal; 0 means 2 s
	StateTTL   time.Duration // life of a conversation that nobody continues; 0 means for ever
	LaneTTL    time.Duration // life of a lane's records after its last commit; 0 means 7 days
	SeenWindow time.Duration // how long update ids are remembered; 0 means 24 h
	SeenMax    int           // update ids remembered by lane; 0 means 1000
	PollMin    time.Duration // first wait for a busy lock, doubled each time; 0 means 5 ms
	PollMax    time.Duration // longest wait between two looks at it; 0 means 100 ms

	// WaitReplicas is how many replicas must have a commit before it counts, and
	// WaitTimeout how long that may take; 0 means 1 s. A commit that fewer have is
	// reported as ErrUnavailable, and asked for again by whoever repeats it.
	WaitReplicas int
	WaitTimeout  time.Duration

	Registerer prometheus.Registerer // may be nil
}

func (c Config) withDefaults() Config {
	set(&c.LockTTL, 2*time.Second)
	set(&c.LaneTTL, 7*24*time.Hour)
	set(&c.SeenWindow, 24*time.Hour)
	set(&c.SeenMax, 1000)
	set(&c.PollMin, 5*time.Millisecond)
	set(&c.PollMax, 100*time.Millisecond)
	set(&c.WaitTimeout, time.Second)
	return c
}

func set[T comparable](v *T, other T) {
	var zero T
	if *v == zero {
		*v = other
	}
}

// Validate names what is out of range.
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

// silent drops what go-redis would write to stderr, a line for each failed dial.
// Every failure comes back to its caller as an error, who says so once.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// conns is how many connections a client may open unless the URL says otherwise. A
// turn that waits for one may have a call to note that was made already: should the
// worker die then, the call is made again.
const conns = 256

// CheckURL tells whether Dial can read the URL.
func CheckURL(url string) (err error) {
	if scheme, rest, ok := cutCluster(url); ok {
		_, err = redis.ParseClusterURL(scheme + rest)
	} else {
		_, err = redis.ParseURL(url)
	}
	if err != nil {
		return errURL
	}
	return nil
}

// Dial makes a client for a redis://, rediss:// or redis+cluster:// URL, set as
// the store needs it: deadlines of contexts end its waits, and a refused connection is
// told soon, because who calls has to pace itself anyway. It connects when used.
func Dial(url string) (redis.UniversalClient, error) {
	redis.SetLogger(silent{}) // go-redis has one logger for the process, not one by client
	if scheme, rest, ok := cutCluster(url); ok {
		opt, err := redis.ParseClusterURL(scheme + rest)
		if err != nil {
			return nil, errURL
		}
		opt.ContextTimeoutEnabled, opt.DialerRetries = true, 1
		set(&opt.PoolSize, conns)
		opt.ReadOnly, opt.RouteByLatency, opt.RouteRandomly = false, false, false // replicas may be behind
		return redis.NewClusterClient(opt), nil
	}
	opt, err := redis.ParseURL(url)
	if err != nil {
		return nil, errURL
	}
	opt.ContextTimeoutEnabled, opt.DialerRetries = true, 1
	set(&opt.PoolSize, conns)
	return redis.NewClient(opt), nil
}
