package telemetry

import (
	"sync"
	"time"
)

// LogLimiter allows one log line per period and counts the others, so that an outage or an attack does not
// flood the log. The zero value limits nothing. Safe for concurrent use.
type LogLimiter struct {
	Every time.Duration

	mu         sync.Mutex
	last       time.Time
	suppressed int
}

// Allow reports whether to log now, and how many lines were suppressed since the last one.
func (l *LogLimiter) Allow() (suppressed int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if !l.last.IsZero() && now.Sub(l.last) < l.Every {
		l.suppressed++
		return 0, false
	}
	suppressed, l.suppressed, l.last = l.suppressed, 0, now
	return suppressed, true
}
