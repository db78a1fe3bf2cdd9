package limit

import "time"

// rate allows burst messages at once, then n in each period.
type rate struct {
	name     string
	n, burst int // n of 0: no limit
	per      time.Duration
	ofBot    bool // over all chats
}

// rates are those of one message, the narrowest first: while it waits for its chat it must not take a
// place of the bot. The place of each is that of its bucket in a record.
type rates [6]rate

const (
	ofChat = iota
	ofGroup
	ofBot
	bulkOfChat
	bulkOfGroup
	bulkOfBot
)

// rates lists the limits of a call.
func (c Config) rates(of call) (r rates) {
	chat, group := of.chat != 0, of.chat < 0
	if of.kind == Bulk {
		r = r.with(bulkOfChat, chat, rate{name: "bulk_chat", n: c.BulkChatPerSecond, burst: 1, per: time.Second})
		r = r.with(bulkOfGroup, group, rate{name: "bulk_group", n: c.BulkGroupPerMinute, burst: 1, per: time.Minute})
		r = r.with(bulkOfBot, true, rate{name: "bulk_bot", n: c.BulkPerSecond, burst: 1, per: time.Second, ofBot: true})
	}
	r = r.with(ofChat, chat, rate{name: "chat", n: c.ChatPerSecond, burst: c.ChatBurst, per: time.Second})
	r = r.with(ofGroup, group, rate{name: "group", n: c.GroupPerMinute, burst: c.GroupBurst, per: time.Minute})
	r = r.with(ofBot, true, rate{name: "bot", n: c.BotPerSecond, burst: c.BotBurst, per: time.Second, ofBot: true})
	if of.kind == Bulk { // half of each ceiling's burst is left to replies
		for i := range bulkOfChat {
			r[i].burst = max(r[i].burst/2, 1)
		}
	}
	return r
}

func (r rates) with(i int, applies bool, one rate) rates {
	if applies && one.n > 0 {
		r[i] = one
	}
	return r
}

// split separates the limits of the chat from those of the bot.
func (r rates) split() (chats, bots rates) {
	for i, one := range r {
		if one.ofBot {
			bots[i] = one
		} else {
			chats[i] = one
		}
	}
	return chats, bots
}

// reserve takes the next place of a bucket that is full again at the time full. It returns when the bucket
// is full after that, and how long until the place is there. One time fits a map and a shared record alike.
func (r rate) reserve(full, now time.Time) (next time.Time, left time.Duration) {
	step := r.per / time.Duration(r.n)
	if full.Before(now) {
		full = now
	}
	next = full.Add(step)
	return next, next.Sub(now) - time.Duration(max(r.burst, 1))*step
}

// takes tells whether a place that is there after left is taken now. A bulk message takes none ahead: replies
// that come meanwhile go first.
func (c Config) takes(kind string, left time.Duration) bool {
	if kind == Bulk {
		return left <= 0
	}
	return left <= c.Patience
}
