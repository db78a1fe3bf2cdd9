package fsm

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

const (
	refusedLock   = "lock"
	refusedCursor = "cursor"
	refusedStream = "stream"
	refusedClosed = "closed"
)

// Metrics count what the sessions of a store meet.
type Metrics struct {
	refusals  *prometheus.CounterVec
	conflicts prometheus.Counter
	lost      prometheus.Counter
}

// NewMetrics registers them. With a nil registerer they are not shown.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	factory := promauto.With(reg)
	m := &Metrics{
		refusals: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "chatlane_fsm_refusals_total", Help: "Writes of turns that were refused, by what fenced them off.",
		}, []string{"reason"}),
		conflicts: factory.NewCounter(prometheus.CounterOpts{
			Name: "chatlane_fsm_lock_conflicts_total", Help: "Sessions that found a lock taken when they opened.",
		}),
		lost: factory.NewCounter(prometheus.CounterOpts{
			Name: "chatlane_fsm_locks_lost_total", Help: "Locks that were lost while a turn ran.",
		}),
	}
	for _, r := range []string{refusedLock, refusedCursor, refusedStream, refusedClosed} {
		m.refusals.WithLabelValues(r)
	}
	return m
}

// Conflict counts a session that has to wait for a lock.
func (m *Metrics) Conflict() { m.conflicts.Inc() }

func (m *Metrics) refused(err error) error {
	switch {
	case err == nil:
	case errors.Is(err, ErrLockLost):
		m.refusals.WithLabelValues(refusedLock).Inc()
	case errors.Is(err, ErrCursorMoved):
		m.refusals.WithLabelValues(refusedCursor).Inc()
	case errors.Is(err, ErrStreamChanged):
		m.refusals.WithLabelValues(refusedStream).Inc()
	case errors.Is(err, ErrClosed):
		m.refusals.WithLabelValues(refusedClosed).Inc()
	}
	return err
}
