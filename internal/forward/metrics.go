package forward

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/chatlane/chatlane/bot"
)

const (
	outOK       = "ok"
	outAway     = "away"   // not reached, or said to come again later
	outFailed   = "failed" // any other answer but 2xx
	outLost     = "answer_lost"
	outOverlong = "answer_too_long"
	outTimeout  = "cancelled" // by the deadline, or with the partition
)

const (
	replyCalled  = "called"
	replyRefused = "refused"
	replyIgnored = "ignored"
)

type metrics struct {
	seconds *prometheus.HistogramVec
	replies *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) metrics {
	m := metrics{
		seconds: promauto.With(reg).NewHistogramVec(prometheus.HistogramOpts{
			Name: "chatlane_forward_seconds", Help: "Time of one request to a bot that updates are forwarded to.",
			Buckets: prometheus.ExponentialBuckets(0.001, 3, 11),
		}, []string{"outcome"}),
		replies: promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
			Name: "chatlane_forward_replies_total", Help: "Calls found in answers of bots, by what came of them.",
		}, []string{"outcome"}),
	}
	for _, o := range []string{replyCalled, replyRefused, replyIgnored} {
		m.replies.WithLabelValues(o)
	}
	return m
}

func (m metrics) observe(began time.Time, err error) {
	m.seconds.WithLabelValues(outcomeOf(err)).Observe(time.Since(began).Seconds())
}

func outcomeOf(err error) string {
	var away *bot.UnavailableError
	switch {
	case err == nil:
		return outOK
	case errors.As(err, &away):
		return outAway
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return outTimeout
	case errors.Is(err, errLost):
		return outLost
	case errors.Is(err, errTooLong):
		return outOverlong
	}
	return outFailed
}
