package ownership

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/chatlane/chatlane/internal/partition"
	"github.com/chatlane/chatlane/internal/queue/parking"
)

// Why a consumer was reset: a closed set.
const (
	resetTakeover   = "takeover"
	resetGap        = "gap"        // a consumer sequence was missing
	resetRedelivery = "redelivery" // the broker delivered something again
	resetStalled    = "stalled"    // deliveries never arrived
	resetOrphaned   = "orphaned"   // a standby freed what a dead owner held
	resetReleased   = "released"   // a standby gave the pin back to a living owner
	resetHandOver   = "handover"
)

type metrics struct {
	parking parking.Metrics
	resets  *prometheus.CounterVec
	owned   *prometheus.GaugeVec
	pending *prometheus.GaugeVec
	oldest  *prometheus.GaugeVec
	age     prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) metrics {
	auto := promauto.With(reg)
	byPartition := []string{"partition"}
	m := metrics{
		parking: parking.NewMetrics(reg),
		resets: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "chatlane_partition_resets_total", Help: "Resets of a partition's consumer, by reason.",
		}, []string{"reason"}),
		owned: auto.NewGaugeVec(prometheus.GaugeOpts{
			Name: "chatlane_partition_owned", Help: "1 while this worker owns the partition.",
		}, byPartition),
		pending: auto.NewGaugeVec(prometheus.GaugeOpts{
			Name: "chatlane_partition_pending", Help: "Updates of the partition that are not delivered yet, at most 5 s ago.",
		}, byPartition),
		oldest: auto.NewGaugeVec(prometheus.GaugeOpts{
			Name: "chatlane_partition_oldest_seconds", Help: "Age of the oldest update of the partition that its owner holds unfinished.",
		}, byPartition),
		age: auto.NewHistogram(prometheus.HistogramOpts{
			Name: "chatlane_delivery_age_seconds", Help: "Time from the broker's confirmation to delivery at the owner.",
			Buckets: prometheus.ExponentialBuckets(0.001, 3, 12),
		}),
	}
	for _, r := range []string{resetTakeover, resetGap, resetRedelivery, resetStalled, resetOrphaned, resetReleased, resetHandOver} {
		m.resets.WithLabelValues(r)
	}
	return m
}

func (m metrics) took(p partition.ID) (gone func()) {
	m.owned.WithLabelValues(label(p)).Set(1)
	return func() {
		m.owned.WithLabelValues(label(p)).Set(0)
		m.pending.DeleteLabelValues(label(p))
		m.oldest.DeleteLabelValues(label(p))
	}
}

func label(p partition.ID) string { return strconv.Itoa(int(p)) }
