package app

import (
	"fmt"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/chatlane/chatlane/internal/fleet"
)

// tellLacking says which bots other workers serve and this one does not. The worker is ready all the same: it serves
// the others, and while a bot is added by a rolling restart that is how it must be.
func (w *worker) tellLacking(p *fleet.Presence) {
	promauto.With(w.tel.Registry).NewGaugeFunc(prometheus.GaugeOpts{
		Name: "chatlane_fleet_bots_lacking", Help: "Bots that other workers serve and this one does not.",
	}, func() float64 { return float64(len(p.Lacking())) })
	w.tel.Health.Note("bots", func() string {
		lacking := p.Lacking()
		if len(lacking) == 0 {
			return ""
		}
		return fmt.Sprintf("this worker lacks bot %s, which others serve: their updates wait for those workers; give all workers the same bots",
			strings.Trim(strings.ReplaceAll(fmt.Sprint(lacking), " ", ", "), "[]"))
	})
}
