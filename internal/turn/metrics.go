package turn

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Outcomes of an attempt.
const (
	outCommitted = "committed"
	outUnhandled = "unhandled" // committed without a handler
	outDone      = "already_done"
	outStale     = "stale"
	outDropped   = "dropped"   // refused by a gate
	outCancelled = "cancelled" // by an urgent update
	outGathered  = "gathered"  // a later part of an album
	outRetried   = "retried"
	outWaited    = "waited"
	outDead      = "dead"
	outLeft      = "left"
)

// Outcomes of an urgent handler's attempt.
const (
	urgentDone   = "done"
	urgentFailed = "failed"
)

// Results against a type's deadline.
const (
	deadlineMet    = "met"
	deadlineMissed = "missed"
)

type metrics struct {
	turns     *prometheus.CounterVec
	deadlines *prometheus.CounterVec
	skipped   *prometheus.CounterVec
	urgent    *prometheus.CounterVec
	setbacks  *prometheus.CounterVec
	seconds   prometheus.Histogram
	latency   prometheus.Histogram
	abandoned prometheus.Counter
	ackErrors prometheus.Counter
	late      prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) metrics {
	with := promauto.With(reg)
	m := metrics{
		turns: with.NewCounterVec(prometheus.CounterOpts{
			Name: "chatlane_turns_total", Help: "Attempts at updates, by outcome.",
		}, []string{"outcome"}),
		deadlines: with.NewCounterVec(prometheus.CounterOpts{
			Name: "chatlane_deadlines_total", Help: "Updates of the types whose answer is due within seconds, by whether it came in time.",
		}, []string{"type", "result"}),
		skipped: with.NewCounterVec(prometheus.CounterOpts{
			Name: "chatlane_updates_skipped_total", Help: "Updates that got no answer because it could have had no effect any more, by type.",
		}, []string{"type"}),
		urgent: with.NewCounterVec(prometheus.CounterOpts{
			Name: "chatlane_urgent_turns_total", Help: "Attempts at urgent handlers, in parallel to the lane or again in it, by outcome.",
		}, []string{"outcome"}),
		setbacks: with.NewCounterVec(prometheus.CounterOpts{
			Name: "chatlane_turn_setbacks_total", Help: "Attempts that did not commit, by reason.",
		}, []string{"reason"}),
		seconds: with.NewHistogram(prometheus.HistogramOpts{
			Name: "chatlane_turn_seconds", Help: "Time of one attempt, from dispatch to commit.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 13),
		}),
		latency: with.NewHistogram(prometheus.HistogramOpts{
			Name: "chatlane_update_seconds", Help: "Time from the broker's confirmation to the commit.",
			Buckets: prometheus.ExponentialBuckets(0.002, 2.5, 14),
		}),
		abandoned: with.NewCounter(prometheus.CounterOpts{
			Name: "chatlane_handlers_abandoned_total", Help: "Handlers that ignored their cancelled context.",
		}),
		ackErrors: with.NewCounter(prometheus.CounterOpts{
			Name: "chatlane_ack_errors_total", Help: "Acknowledgements that could not be sent; the update comes again and is skipped.",
		}),
		late: with.NewCounter(prometheus.CounterOpts{
			Name: "chatlane_timers_stale_total", Help: "State timeouts that came after their state was left, and were ignored.",
		}),
	}
	for _, o := range []string{outCommitted, outUnhandled, outDone, outStale, outDropped, outCancelled, outGathered, outRetried, outWaited, outDead, outLeft} {
		m.turns.WithLabelValues(o)
	}
	for _, o := range []string{urgentDone, urgentFailed} {
		m.urgent.WithLabelValues(o)
	}
	return m
}

func (m metrics) committed(outcome string, attempt, age time.Duration) {
	m.turns.WithLabelValues(outcome).Inc()
	m.seconds.Observe(attempt.Seconds())
	m.latency.Observe(max(0, age.Seconds()))
}
