// Package limit keeps bots below Telegram's limits of sending: so many messages a
// second for a bot, for a chat, and a minute for a group, and none while Telegram has
// asked to wait.
//
// [Shared] counts in Redis, for all workers at once; [Local] counts in the process.
// Both are a token bucket per chat and per bot: as many messages at once as the burst
// allows, then one for each that the rate allows. Who waits for its chat does not hold
// the bot's place meanwhile. No wall clock of a worker's is read: Redis counts by its
// own clock, the process by elapsed time.
package limit

import (
	"errors"
	"time"
)

// Config says what is allowed. A rate of 0 means that nothing is limited by it.
type Config struct {
	BotPerSecond   int // messages of one bot, over all chats
	ChatPerSecond  int // messages into one chat
	GroupPerMinute int // messages into one group or channel, which has an id below 0

	// Bursts are how many may go at once after a pause. 0 means: for the bot a
	// second's worth, for a chat 3, for a group 10. A conversation thus gets its
	// replies at once, and only a series is slowed; Telegram itself allows short
	// bursts, and its 429 is heeded in any case.
	BotBurst, ChatBurst, GroupBurst int

	// BotWide is how many chats of a bot must be told to wait within a second for it
	// to be taken for the bot's limit, since Telegram does not say whose it is. 0 means 5.
	BotWide int
	// Patience is the longest that a message waits in its handler: who waits holds a
	// place among the worker's turns. 0 means 5 s.
	Patience time.Duration
	// Timeout bounds each question to Redis; 0 means 500 ms.
	Timeout time.Duration
}

// Default is what Telegram documents: 30 a second for a bot, 1 for a chat, 20 a minute
// for a group.
func Default() Config { return Config{BotPerSecond: 30, ChatPerSecond: 1, GroupPerMinute: 20} }

func (c Config) withDefaults() Config {
	c.BotBurst = orElse(c.BotBurst, c.BotPerSecond)
	c.ChatBurst = orElse(c.ChatBurst, 3)
	c.GroupBurst = orElse(c.GroupBurst, 10)
	c.BotWide = orElse(c.BotWide, 5)
	c.Patience = orElse(c.Patience, 5*time.Second)
	c.Timeout = orElse(c.Timeout, 500*time.Millisecond)
	return c
}

// Validate names what is out of range.
func (c Config) Validate() error {
	switch {
	case c.BotPerSecond < 0 || c.ChatPerSecond < 0 || c.GroupPerMinute < 0:
		return errors.New("limits of sending: set rates of 0 or more")
	case c.BotBurst < 0 || c.ChatBurst < 0 || c.GroupBurst < 0:
		return errors.New("limits of sending: set bursts of 0 or more")
	case c.BotWide < 0 || c.Timeout < 0:
		return errors.New("limits of sending: set a number of chats and a timeout of 0 or more")
	}
	return nil
}

// LaterError says that a message would have to wait for longer than Config.Patience.
// Nothing is reserved for it.
type LaterError struct{ After time.Duration }

// Error gives the time.
func (e *LaterError) Error() string {
	return "held back by the limits of sending, for " + e.After.Round(time.Millisecond).String()
}

// RetryAfter is when to ask again.
func (e *LaterError) RetryAfter() time.Duration { return e.After }

func orElse[T int | time.Duration](v, other T) T {
	if v == 0 {
		return other
	}
	return v
}

// rate is one bucket: burst at once, then one in each interval.
type rate struct {
	name     string
	n, burst int
	per      time.Duration
}

// rates lists the buckets that a message takes from, the narrowest first: who waits
// for the chat must not have taken the bot's.
func (c Config) rates(chat int64) [3]rate {
	var r [3]rate
	if chat != 0 && c.ChatPerSecond > 0 {
		r[0] = rate{name: "chat", n: c.ChatPerSecond, burst: c.ChatBurst, per: time.Second}
	}
	if chat < 0 && c.GroupPerMinute > 0 {
		r[1] = rate{name: "group", n: c.GroupPerMinute, burst: c.GroupBurst, per: time.Minute}
	}
	if c.BotPerSecond > 0 {
		r[2] = rate{name: "bot", n: c.BotPerSecond, burst: c.BotBurst, per: time.Second}
	}
	return r
}
