package turn

import (
	"math/rand/v2"
	"time"
)

// The waits are computed from a count that the task keeps, since the lane and not this
// package waits, and a count outlives a parked lane's absence: a stateful backoff, as
// libraries have it, would have to be carried along and says no more.

// backoff is the wait after a failed attempt: MinBackoff times 4 for each attempt
// before, at most MaxBackoff, half of it random.
func (c Config) backoff(attempts int) time.Duration {
	d := c.MaxBackoff
	if attempts < 16 {
		d = min(c.MinBackoff<<(2*attempts), c.MaxBackoff)
	}
	return jitter(d/2, d/2)
}

// parks tells that a wait is too long for the lane to make it in place: its updates
// would fill the partition's window meanwhile.
func (c Config) parks(wait time.Duration) bool { return wait > c.ParkAfter }

// pace is the wait for something broken that this worker cannot repair: 100 ms at
// first, at most 5 s, half of it random, so that nothing spins and a recovery is noticed soon.
func pace(waits int) time.Duration {
	d := min(100*time.Millisecond<<min(waits, 10), 5*time.Second)
	return jitter(d/2, d/2)
}

// jitter is least plus up to spread more.
func jitter(least, spread time.Duration) time.Duration {
	if spread <= 0 {
		return least
	}
	return least + rand.N(spread) //nolint:gosec // spreading load needs no secret
}
