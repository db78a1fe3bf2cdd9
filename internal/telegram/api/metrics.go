package api

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/chatlane/chatlane/internal/telegram/journal"
)

// Outcomes of a call: a label of chatlane_telegram_calls_total.
const (
	outOK          = "ok"
	outReplayed    = "replayed" // answered from the journal
	outRefused     = "refused"  // 4xx
	outBlocked     = "blocked"  // 403
	outTooMany     = "too_many"
	outServer      = "server_error"
	outUnreachable = "unreachable"
	outLost        = "answer_lost"
	outMaybeSent   = "maybe_sent"
	outError       = "error" // our own: a closed turn, a failed journal, a request that could not be made
)

type metrics struct {
	known      map[string]bool
	calls      *prometheus.CounterVec
	seconds    *prometheus.HistogramVec
	retries    prometheus.Counter
	lost       prometheus.Counter
	journal    *journal.Metrics
	migrations prometheus.Counter
	unlimited  prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return promauto.With(reg).NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &metrics{
		known: make(map[string]bool, 192),
		calls: promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
			Name: "chatlane_telegram_calls_total", Help: "Bot API calls, by method and outcome.",
		}, []string{"method", "outcome"}),
		seconds: promauto.With(reg).NewHistogramVec(prometheus.HistogramOpts{
			Name: "chatlane_telegram_call_seconds", Help: "Time of one HTTP request to the Bot API.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2.5, 11),
		}, []string{"outcome"}),
		retries:    counter("chatlane_telegram_retries_total", "Requests made again at once, after a 5xx or a failed connection."),
		lost:       counter("chatlane_telegram_answers_lost_total", "Calls that may have had their effect, but whose answer was lost."),
		journal:    journal.NewMetrics(reg),
		migrations: counter("chatlane_telegram_migrations_total", "Calls repeated to the supergroup that a group became."),
		unlimited:  counter("chatlane_telegram_unlimited_total", "Calls let through because the limiter failed."),
	}
	for _, name := range methods() {
		m.known[name] = true
	}
	return m
}

func (m *metrics) label(method string) string {
	if m.known[method] {
		return method
	}
	return otherMethod
}

func (m *metrics) request(began time.Time, err error) {
	m.seconds.WithLabelValues(outcomeOf(err)).Observe(time.Since(began).Seconds())
}

func outcomeOf(err error) string {
	switch {
	case err == nil:
		return outOK
	case errors.Is(err, ErrMaybeSent):
		return outMaybeSent
	case errors.Is(err, ErrBlocked):
		return outBlocked
	case errors.Is(err, ErrTooMany):
		return outTooMany
	case errors.Is(err, ErrServer):
		return outServer
	case errors.Is(err, ErrUnreachable):
		return outUnreachable
	case errors.Is(err, ErrAnswerLost):
		return outLost
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return outRefused
	}
	return outError
}
