package queue

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatlane/chatlane/internal/partition"
)

// Why a consumer was reset: a closed set, the label of chatlane_partition_resets_total.
const (
	resetTakeover   = "takeover"
	resetGap        = "gap"        // a consumer sequence was missing
	resetRedelivery = "redelivery" // the broker delivered something again
	resetStalled    = "stalled"    // the watchdog found deliveries that never arrived
	resetOrphaned   = "orphaned"   // a standby freed what a dead owner held
	resetCeded      = "ceded"      // won from an owner who is alive
	resetHandOver   = "handover"
)

type ownerMetrics struct {
	resets  *prometheus.CounterVec
	owned   *prometheus.GaugeVec
	pending *prometheus.GaugeVec
	age     prometheus.Histogram
}

func newOwnerMetrics(reg prometheus.Registerer) ownerMetrics {
	m := ownerMetrics{
		resets: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "chatlane_partition_resets_total", Help: "Resets of a partition's consumer, by reason.",
		}, []string{"reason"}),
		owned: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "chatlane_partition_owned", Help: "1 while this worker owns the partition.",
		}, []string{"partition"}),
		pending: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "chatlane_partition_pending", Help: "Updates of the partition that are not delivered yet, as of the last delivery.",
		}, []string{"partition"}),
		age: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "chatlane_delivery_age_seconds", Help: "Time from the broker's confirmation to delivery at the owner.",
			Buckets: prometheus.ExponentialBuckets(0.001, 3, 12),
		}),
	}
	for _, r := range []string{resetTakeover, resetGap, resetRedelivery, resetStalled, resetOrphaned, resetCeded, resetHandOver} {
		m.resets.WithLabelValues(r)
	}
	register(reg, m.resets, m.owned, m.pending, m.age)
	return m
}

func label(p partition.ID) string { return strconv.Itoa(int(p)) }
