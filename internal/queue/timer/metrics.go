package timer

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

const (
	firedStored    = "stored"
	firedDuplicate = "duplicate"
	firedFailed    = "failed" // it is tried again
)

type metrics struct {
	armed, cancelled prometheus.Counter
	fired            *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) metrics {
	m := metrics{
		armed: promauto.With(reg).NewCounter(prometheus.CounterOpts{
			Name: "chatlane_timers_armed_total", Help: "State timeouts stored in the broker.",
		}),
		cancelled: promauto.With(reg).NewCounter(prometheus.CounterOpts{
			Name: "chatlane_timers_cancelled_total", Help: "State timeouts that the broker was asked to forget.",
		}),
		fired: promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
			Name: "chatlane_timers_fired_total", Help: "State timeouts relayed into their lanes, by result.",
		}, []string{"result"}),
	}
	for _, r := range []string{firedStored, firedDuplicate, firedFailed} {
		m.fired.WithLabelValues(r)
	}
	return m
}
