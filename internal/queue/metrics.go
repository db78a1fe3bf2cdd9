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

// Why a lane was parked: a closed set, the label of chatlane_lanes_parked_total.
const (
	parkedWaiting  = "waiting"  // its next attempt is not soon
	parkedFlooding = "flooding" // it took most of its partition's window
)

type ownerMetrics struct {
	parked  *prometheus.CounterVec
	resets  *prometheus.CounterVec
	owned   *prometheus.GaugeVec
	pending *prometheus.GaugeVec
	oldest  *prometheus.GaugeVec
	age     prometheus.Histogram
}

func newOwnerMetrics(reg prometheus.Registerer) ownerMetrics {
	m := ownerMetrics{
		parked: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "chatlane_lanes_parked_total", Help: "Lanes whose updates were put aside, by reason.",
		}, []string{"reason"}),
		resets: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "chatlane_partition_resets_total", Help: "Resets of a partition's consumer, by reason.",
		}, []string{"reason"}),
		owned: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "chatlane_partition_owned", Help: "1 while this worker owns the partition.",
		}, []string{"partition"}),
		pending: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "chatlane_partition_pending", Help: "Updates of the partition that are not delivered yet, at most 5 s ago.",
		}, []string{"partition"}),
		oldest: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "chatlane_partition_oldest_seconds", Help: "Age of the oldest update of the partition that its owner holds unfinished.",
		}, []string{"partition"}),
		age: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "chatlane_delivery_age_seconds", Help: "Time from the broker's confirmation to delivery at the owner.",
			Buckets: prometheus.ExponentialBuckets(0.001, 3, 12),
		}),
	}
	for _, r := range []string{resetTakeover, resetGap, resetRedelivery, resetStalled, resetOrphaned, resetCeded, resetHandOver} {
		m.resets.WithLabelValues(r)
	}
	for _, r := range []string{parkedWaiting, parkedFlooding} {
		m.parked.WithLabelValues(r)
	}
	register(reg, m.parked, m.resets, m.owned, m.pending, m.oldest, m.age)
	return m
}

// took shows a partition as owned; the function that it returns takes that back,
// with what its owner knew of it.
func (m ownerMetrics) took(p partition.ID) (gone func()) {
	m.owned.WithLabelValues(label(p)).Set(1)
	return func() {
		m.owned.WithLabelValues(label(p)).Set(0)
		m.pending.DeleteLabelValues(label(p))
		m.oldest.DeleteLabelValues(label(p))
	}
}

func label(p partition.ID) string { return strconv.Itoa(int(p)) }
