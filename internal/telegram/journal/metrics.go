package journal

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics count what journals answered.
type Metrics struct {
	replays     prometheus.Counter
	divergences prometheus.Counter
}

// NewMetrics registers the counters; a nil reg leaves them unregistered.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		return promauto.With(reg).NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	return &Metrics{
		replays:     counter("chatlane_telegram_journal_replays_total", "Calls answered from the journal of an earlier attempt."),
		divergences: counter("chatlane_telegram_journal_divergences_total", "Calls that differ from what the earlier attempt called in their place."),
	}
}
