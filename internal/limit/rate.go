package limit

import "time"

// rate allows burst messages at once, then n in each period.
type rate struct {
	name     string
	n, burst int // n of 0: no limit
	per      time.Duration
}

const (
	ofChat = iota
	ofGroup
	ofBot
)

// rates lists a message's limits, the narrowest first: while it waits for its chat it takes no place of the bot.
func (c Config) rates(chat int64) [3]rate {
	var r [3]rate
	if chat != 0 && c.ChatPerSecond > 0 {
		r[ofChat] = rate{name: "chat", n: c.ChatPerSecond, burst: c.ChatBurst, per: time.Second}
	}
	if chat < 0 && c.GroupPerMinute > 0 {
		r[ofGroup] = rate{name: "group", n: c.GroupPerMinute, burst: c.GroupBurst, per: time.Minute}
	}
	if c.BotPerSecond > 0 {
		r[ofBot] = rate{name: "bot", n: c.BotPerSecond, burst: c.BotBurst, per: time.Second}
	}
	return r
}

// reserve takes a place of a bucket that is full again at the time full. It returns the new such
// time, and the wait for the place.
func (r rate) reserve(full, now time.Time) (next time.Time, left time.Duration) {
	step := r.per / time.Duration(r.n)
	if full.Before(now) {
		full = now
	}
	next = full.Add(step)
	return next, next.Sub(now) - time.Duration(max(r.burst, 1))*step
}
