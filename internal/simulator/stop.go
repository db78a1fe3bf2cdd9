package simulator

import "time"

// stop is a time in which a caller's process did nothing: it was killed or frozen.
type stop struct {
	caller   string
	from, to time.Time // to is zero as long as it lasts
}

func (s *stop) covers(at time.Time) bool {
	return !at.Before(s.from) && (s.to.IsZero() || at.Before(s.to))
}

// Stopped says that the process behind a caller has been killed or frozen by now.
// What is answered from now on does not reach it. Of what was answered before, it may
// have had no time to make a note: noted tells, for the last call that it made in
// each chat, whether it did. An earlier one was noted, since it went on.
func (t *Telegram) Stopped(caller string, noted func(Call) bool) {
	r := t.record
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stops = append(r.stops, stop{caller: caller, from: time.Now()})
	last := make(map[int64]*Call)
	for i := range r.done {
		if c := &r.done[i]; c.Caller == caller {
			if before := last[c.Chat]; before != nil {
				before.noted = true
			}
			last[c.Chat] = c
		}
	}
	for _, c := range last {
		c.noted = noted(*c)
		if !c.noted && !c.Answered.IsZero() {
			c.Stop = len(r.stops)
		}
	}
}

// Resumed ends what Stopped began.
func (t *Telegram) Resumed(caller string) {
	r := t.record
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.stops {
		if s := &r.stops[i]; s.caller == caller && s.to.IsZero() {
			s.to = time.Now()
		}
	}
}

// stoppedBefore tells that a call's caller was stopped before the answer was written
// and had not gone on by then; it needs r.mu.
func (r *record) stoppedBefore(c *Call) bool {
	for i := range r.stops {
		s := &r.stops[i]
		if s.caller != c.Caller || c.noted {
			continue
		}
		if c.Answered.IsZero() && !s.from.Before(c.At) || s.covers(c.Answered) {
			return true
		}
	}
	return false
}
