package ingress

import (
	"sync"
	"time"
)

// logLimiter passes one log line in a while and counts those that it holds back, so
// that an outage or an attack does not flood the log. The metrics count each event.
type logLimiter struct {
	every time.Duration

	mu   sync.Mutex
	last time.Time
	held int
}

// pass reports whether to log now, and how many lines were held back since the last one.
func (l *logLimiter) pass() (held int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if !l.last.IsZero() && now.Sub(l.last) < l.every {
		l.held++
		return 0, false
	}
	held, l.held, l.last = l.held, 0, now
	return held, true
}
