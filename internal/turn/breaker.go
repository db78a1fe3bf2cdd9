package turn

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/chatlane/chatlane/internal/lane"
)

// breaker pauses the partitions whose store does not answer: their turns wait without
// asking it, and one at a time probes whether it is back. Why by partition, and why the
// store alone: docs/decisions/0004-circuit-breaker.md.
//
// A circuit opens when several lanes have failed, and no turn had an answer for some
// time: one lane cannot pause others, nor can many while others get through. It closes
// with the first answer. A lane that has not failed itself probes before those that
// have: where only a part of the store is away, the other lanes hardly wait.
type breaker struct {
	log *slog.Logger

	mu       sync.Mutex
	circuits map[int]*circuit // by partition
}

const (
	failuresToOpen = 3                      // lanes
	quietToOpen    = 250 * time.Millisecond // without any answer
	minPause       = 100 * time.Millisecond // between probes; doubled for lanes that have failed
	maxPause       = time.Second
	probeLook      = 250 * time.Millisecond // how soon a lane asks again while a probe is under way
	// probeWait bounds how long a probe waits for the store: a connection may be dead in
	// a way that only time tells, and others wait for the probe.
	probeWait = 2 * time.Second
	// forgetAfter closes a circuit that no lane asks about, since the partition went
	// elsewhere: lanes that wait ask far more often.
	forgetAfter = 5 * time.Second
	// failureCounts is how long a failure says something about the store, and longer
	// than any lane takes to fail again.
	failureCounts = time.Minute
	// maxFailed bounds memory; lanes beyond it pass for such that have not failed.
	maxFailed = 4096
)

// circuit is what the turns of one partition found out about the store.
type circuit struct {
	failed     map[lane.Key]struct{} // lanes that failed since the last answer
	lastFailed time.Time
	quiet      time.Time // since when there was no answer, as far as failures show
	asked      time.Time // by any lane, while open

	open    bool
	opened  time.Time
	probing bool
	next    time.Time     // when a lane may probe that has not failed
	again   time.Time     // when a lane may probe that has
	pause   time.Duration // before the one after that
}

// probe is a turn that finds out whether the store is back.
type probe struct {
	c     *circuit
	again bool // its lane has failed before
}

func newBreaker(log *slog.Logger, reg prometheus.Registerer) *breaker {
	b := &breaker{log: log, circuits: make(map[int]*circuit)}
	promauto.With(reg).NewGaugeFunc(prometheus.GaugeOpts{
		Name: "chatlane_partitions_paused", Help: "Partitions of this worker whose turns wait because the state store does not answer.",
	}, b.paused)
	return b
}

// paused counts open circuits.
func (b *breaker) paused() (n float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.circuits {
		if c.open && time.Since(c.asked) < forgetAfter {
			n++
		}
	}
	return n
}

// enter asks whether a turn of the partition may use the store. If wait is above zero it
// may not, and asks again then. If as is not nil it is the probe, which has to leave.
func (b *breaker) enter(p int, k lane.Key) (wait time.Duration, as *probe) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, now := b.circuits[p], time.Now()
	if c == nil || !c.open {
		return 0, nil
	}
	if now.Sub(c.asked) > forgetAfter {
		delete(b.circuits, p) // the partition was elsewhere meanwhile
		return 0, nil
	}
	c.asked = now
	at := c.next
	_, failed := c.failed[k]
	if failed {
		at = c.again
	}
	switch left := at.Sub(now); {
	case c.probing:
		return jitter(probeLook, probeLook), nil
	case left > 0:
		return jitter(left, probeLook), nil
	}
	c.probing = true
	return 0, &probe{c, failed}
}

// leave ends a probe. Without an answer meanwhile the next one comes later.
func (b *breaker) leave(as *probe) {
	b.mu.Lock()
	defer b.mu.Unlock()
	as.c.probing = false
	as.c.wait(time.Now(), as.again)
}

// answer says that the store has answered a turn of the partition.
func (b *breaker) answer(ctx context.Context, p int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.circuits[p]
	if c == nil {
		return
	}
	clear(c.failed)
	if c.open {
		delete(b.circuits, p)
		b.log.InfoContext(ctx, "partition goes on: the state store answers",
			slog.Int("partition", p), slog.Duration("paused_for", time.Since(c.opened)))
	}
}

// fail says that the store failed a turn of the lane, with the error's text.
func (b *breaker) fail(ctx context.Context, p int, k lane.Key, text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, now := b.circuit(p), time.Now()
	if now.Sub(c.lastFailed) > failureCounts {
		clear(c.failed)
	}
	if c.lastFailed = now; len(c.failed) == 0 {
		c.quiet = now
	}
	if len(c.failed) < maxFailed {
		c.failed[k] = struct{}{}
	}
	if c.open || len(c.failed) < failuresToOpen || now.Sub(c.quiet) < quietToOpen {
		return
	}
	c.open, c.opened, c.asked, c.pause = true, now, now, minPause
	c.wait(now, true)
	b.log.WarnContext(ctx, "partition paused: the state store does not answer",
		slog.Int("partition", p), slog.String("error", text))
}

// circuit finds or makes the circuit of a partition. It needs b.mu.
func (b *breaker) circuit(p int) *circuit {
	c := b.circuits[p]
	if c == nil {
		c = &circuit{failed: make(map[lane.Key]struct{})}
		b.circuits[p] = c
	}
	return c
}

// wait sets the times of the next probes.
func (c *circuit) wait(now time.Time, again bool) {
	c.next = now.Add(jitter(minPause/2, minPause/2))
	if again {
		c.again = now.Add(jitter(c.pause/2, c.pause/2))
		c.pause = min(2*c.pause, maxPause)
	}
}
