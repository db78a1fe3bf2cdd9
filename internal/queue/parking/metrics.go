package parking

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Why a lane was parked: a closed set.
const (
	reasonWaiting  = "waiting"  // its next attempt is not soon
	reasonFlooding = "flooding" // it took most of its partition's window
)

// Metrics are shared by all terms of a worker.
type Metrics struct{ parked *prometheus.CounterVec }

// NewMetrics registers them; nil registers nothing.
func NewMetrics(reg prometheus.Registerer) Metrics {
	m := Metrics{parked: promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
		Name: "chatlane_lanes_parked_total", Help: "Lanes whose updates were put aside, by reason.",
	}, []string{"reason"})}
	for _, r := range []string{reasonWaiting, reasonFlooding} {
		m.parked.WithLabelValues(r)
	}
	return m
}
