package turn

import (
	"math/rand/v2"
	"time"
)

// Waits are computed from a count in the task: it survives parking, unlike a library's stateful backoff.

// backoff is MinBackoff times 4 for each failed attempt before, at most MaxBackoff, half of it random.
func (c Config) backoff(attempts int) time.Duration {
	d := c.MaxBackoff
	if attempts < 16 {
		d = min(c.MinBackoff<<(2*attempts), c.MaxBackoff)
	}
	return jitter(d/2, d/2)
}

// parks says that a wait is too long to make in place: the lane would fill the partition's window.
func (c Config) parks(wait time.Duration) bool { return wait > c.ParkAfter }

// pace is the wait for something broken outside: from 100 ms to 5 s, half of it random.
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
