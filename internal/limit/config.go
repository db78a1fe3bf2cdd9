package limit

import (
	"cmp"
	"errors"
	"time"
)

// Config says what is allowed. A rate of 0 means no limit.
type Config struct {
	BotPerSecond   int // messages of one bot, over all chats
	ChatPerSecond  int // messages into one chat
	GroupPerMinute int // messages into one group or channel (id below 0)

	// Bursts are how many messages may go at once after a pause. 0 means a second's worth for the bot,
	// 3 for a chat, 10 for a group.
	BotBurst, ChatBurst, GroupBurst int

	// BotWide is how many chats must be told to wait within a second to count as the bot's limit:
	// Telegram does not say whose it is. 0 means 5.
	BotWide  int
	Patience time.Duration // longest wait of a message, which holds a slot of the worker; 0 means 5 s
	Timeout  time.Duration // for each request to Redis or the broker; 0 means 500 ms

	Prefix   string // of Redis keys, before the first ":"; empty means "chatlane"
	Bucket   string // the key-value bucket of NATS; empty means "chatlane_limits"
	Replicas int    // of a new bucket; 0 means 1
}

// Default is what Telegram documents: 30 a second for a bot, 1 for a chat, 20 a minute for a group.
func Default() Config { return Config{BotPerSecond: 30, ChatPerSecond: 1, GroupPerMinute: 20} }

func (c Config) withDefaults() Config {
	c.BotBurst = cmp.Or(c.BotBurst, c.BotPerSecond)
	c.ChatBurst = cmp.Or(c.ChatBurst, 3)
	c.GroupBurst = cmp.Or(c.GroupBurst, 10)
	c.BotWide = cmp.Or(c.BotWide, 5)
	c.Patience = cmp.Or(c.Patience, 5*time.Second)
	c.Timeout = cmp.Or(c.Timeout, 500*time.Millisecond)
	c.Prefix = cmp.Or(c.Prefix, "chatlane")
	c.Bucket = cmp.Or(c.Bucket, "chatlane_limits")
	c.Replicas = cmp.Or(c.Replicas, 1)
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
