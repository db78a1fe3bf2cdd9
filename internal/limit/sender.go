package limit

import "time"

// sender is one bot as this worker sends for it. See docs/decisions/0014-adaptive-limits.md.
type sender struct {
	replies int // that wait

	// Messages of this second and of the one before.
	second     time.Time
	this, last int

	// The pace, while the bot is slowed.
	rate, slope float64   // per second; what it grows by, each second
	since       time.Time // when it had that rate
	until       time.Time // from then on the bot is free
	ignore      time.Time // until then a further 429 is of the same flood
	full        time.Time // bucket, see rate.reserve
}

const (
	leastPace  = 3.0             // messages a second that a slowed bot still sends in each worker
	leastSlope = 0.5             // messages a second that the pace grows by in a second, at least
	regrow     = 60.0            // seconds until the pace is what it was before it was halved
	slowFor    = 5 * time.Minute // without a further flood the bot is free after that
	yield      = time.Second     // that bulk messages wait after a block, so that replies go first
	glance     = 50 * time.Millisecond
)

func (s *sender) slow(now time.Time) bool { return now.Before(s.until) }

// sent counts a message.
func (s *sender) sent(now time.Time) {
	s.roll(now)
	s.this++
}

func (s *sender) roll(now time.Time) {
	switch passed := now.Sub(s.second); {
	case passed < time.Second:
	case passed < 2*time.Second:
		s.second, s.last, s.this = s.second.Add(time.Second), s.this, 0
	default:
		s.second, s.last, s.this = now, 0, 0
	}
}

// measured is how many messages a second this worker sends.
func (s *sender) measured(now time.Time) float64 {
	s.roll(now)
	return float64(max(s.last, s.this))
}

// allowed is the pace at a time.
func (s *sender) allowed(now time.Time) float64 {
	return s.rate + s.slope*now.Sub(s.since).Seconds()
}

// cut halves the pace after a flood that asks to wait for d. A free bot's pace is what it sends.
func (s *sender) cut(now time.Time, d time.Duration) (pace float64, cut bool) {
	if now.Before(s.ignore) {
		return 0, false
	}
	before := s.measured(now)
	if s.slow(now) {
		before = min(s.allowed(now), max(before, leastPace*2))
	}
	s.rate = max(before/2, leastPace)
	s.slope = max(s.rate/regrow, leastSlope)
	end := now.Add(d)
	s.since, s.until, s.ignore, s.full = end, end.Add(slowFor), end, time.Time{}
	return s.rate, true
}

// reserve takes a place of the pace, and says how long until it is there. A bulk message takes none ahead,
// and leaves half of the burst to replies.
func (s *sender) reserve(kind string, now time.Time, cfg Config) (left time.Duration, taken bool) {
	if !s.slow(now) {
		s.sent(now)
		return 0, true
	}
	pace := max(s.allowed(now), leastPace)
	r := rate{n: 1, per: time.Duration(float64(time.Second) / pace), burst: max(int(pace/4), 2)}
	if kind == Bulk {
		r.burst /= 2
	}
	next, left := r.reserve(s.full, now)
	if !cfg.takes(kind, left) {
		return left, false
	}
	s.full = next
	s.sent(now)
	return left, true
}

// behind is how long a bulk message waits that is blocked for left.
func (s *sender) behind(left time.Duration) time.Duration {
	switch {
	case left > 0:
		return left + yield
	case s.replies > 0:
		return glance
	}
	return 0
}
