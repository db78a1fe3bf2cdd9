package ingress

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/chatlane/chatlane/internal/telegram/update"
)

type metrics struct {
	requests [outcomes]prometheus.Counter
	seconds  prometheus.Histogram
	inFlight prometheus.Gauge
	bytes    prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	with := promauto.With(reg)
	requests := with.NewCounterVec(prometheus.CounterOpts{
		Name: "chatlane_webhook_requests_total", Help: "Webhook requests, by outcome.",
	}, []string{"outcome"})
	m := &metrics{
		seconds: with.NewHistogram(prometheus.HistogramOpts{
			Name: "chatlane_webhook_request_seconds", Help: "Time from the request's headers to its answer.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}),
		inFlight: with.NewGauge(prometheus.GaugeOpts{
			Name: "chatlane_webhook_in_flight_requests", Help: "Webhook requests that are being answered.",
		}),
		bytes: with.NewCounter(prometheus.CounterOpts{
			Name: "chatlane_webhook_received_bytes_total", Help: "Size of the bodies that were read.",
		}),
	}
	for o := range outcomes {
		m.requests[o] = requests.WithLabelValues(o.String())
	}
	return m
}

func (m *metrics) done(o outcome, took time.Duration) {
	m.inFlight.Dec()
	m.requests[o].Inc()
	m.seconds.Observe(took.Seconds())
}

func newDeadLetterCounters(reg prometheus.Registerer) map[update.Reason]prometheus.Counter {
	vec := promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
		Name: "chatlane_ingress_dead_letters_total", Help: "Authentic updates that could not be routed, by reason.",
	}, []string{"reason"})
	counters := map[update.Reason]prometheus.Counter{}
	for _, r := range update.Reasons() {
		counters[r] = vec.WithLabelValues(string(r))
	}
	return counters
}
