package limit

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// What a 429 blocked: the label of chatlane_limit_blocks_total.
const (
	scopeChat = "chat"
	scopeBot  = "bot"
)

func newMetrics(reg prometheus.Registerer, slowed func() float64) *prometheus.CounterVec {
	blocks := promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
		Name: "chatlane_limit_blocks_total", Help: "Times that Telegram asked this worker or another to wait, by what is held back.",
	}, []string{"scope"})
	for _, scope := range []string{scopeChat, scopeBot} {
		blocks.WithLabelValues(scope)
	}
	promauto.With(reg).NewGaugeFunc(prometheus.GaugeOpts{
		Name: "chatlane_limit_slowed_bots", Help: "Bots that this worker sends for more slowly, since Telegram asked them to wait.",
	}, slowed)
	return blocks
}
