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

// breaker pauses a partition whose store does not answer: its turns wait, and one at a time probes
// the store. Why per partition, and why the store alone: docs/decisions/0004-circuit-breaker.md.
//
// A circuit opens when several lanes have failed and no turn had an answer for some time; the first answer
// closes it. Lanes that have not failed probe sooner: they hardly wait where only part of the store is away.
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
	probeLook      = 250 * time.Millisecond // how soon a lane asks again during a probe
	// probeWait bounds a probe: other lanes wait for it, and a connection may be dead without an error.
	probeWait = 2 * time.Second
	// forgetAfter closes a circuit that no lane asks about: the partition has moved. Waiting lanes ask far more often.
	forgetAfter = 5 * time.Second
	// failureCounts is how long a failure counts; longer than any lane takes to fail again.
	failureCounts = time.Minute
	// maxFailed bounds memory; lanes beyond it count as not failed.
	maxFailed = 4096
)

type circuit struct {
	failed     map[lane.Key]struct{} // since the last answer
	lastFailed time.Time
	quiet      time.Time // time of the first failure since the last answer
	asked      time.Time // last time by any lane, while open

	open    bool
	opened  time.Time
	probing bool
	next    time.Time     // when a lane may probe that has not failed
	again   time.Time     // when a lane may probe that has
	pause   time.Duration // the next wait of such a lane
}

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

// enter lets a turn use the store if wait is zero; else ask again then. A non-nil probe has to leave.
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

func (b *breaker) leave(as *probe) {
	b.mu.Lock()
	defer b.mu.Unlock()
	as.c.probing = false
	as.c.wait(time.Now(), as.again)
}

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

// circuit needs b.mu.
func (b *breaker) circuit(p int) *circuit {
	c := b.circuits[p]
	if c == nil {
		c = &circuit{failed: make(map[lane.Key]struct{})}
		b.circuits[p] = c
	}
	return c
}

func (c *circuit) wait(now time.Time, again bool) {
	c.next = now.Add(jitter(minPause/2, minPause/2))
	if again {
		c.again = now.Add(jitter(c.pause/2, c.pause/2))
		c.pause = min(2*c.pause, maxPause)
	}
}
