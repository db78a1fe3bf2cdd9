package limit

import (
	"cmp"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Config says what is allowed.
type Config struct {
	// Ceilings for messages of all kinds; 0 means none.
	BotPerSecond   int // messages of one bot, over all chats
	ChatPerSecond  int // messages into one chat
	GroupPerMinute int // messages into one group or channel (id below 0)

	// Bursts are how many messages may go at once after a pause, so that only a series is slowed. 0
	// means a second's worth for the bot, 3 for a chat, 10 for a group.
	BotBurst, ChatBurst, GroupBurst int

	// Rates of bulk messages. 0 means what Telegram documents: 30 for a bot, 1 for a chat, 20 for a
	// group. Below 0 means none.
	BulkPerSecond, BulkChatPerSecond, BulkGroupPerMinute int

	// BotWide is how many chats must be told to wait within a second to count as the bot's limit:
	// Telegram does not say whose limit it is. 0 means 5.
	BotWide int
	// Patience is how long a message waits at most, in a slot of the worker. 0 means 5 s.
	Patience time.Duration
	// Poll is how often a worker asks for the blocks of the others. 0 means 250 ms.
	Poll time.Duration
	// Timeout bounds each request to Redis or the broker. 0 means 500 ms.
	Timeout time.Duration

	Prefix   string // of Redis keys, before the first ":"; empty means "chatlane"
	Bucket   string // the key-value bucket of NATS; empty means "chatlane_limits"
	Replicas int    // of a new bucket; 0 means 1

	Logger     *slog.Logger          // nil: none
	Registerer prometheus.Registerer // nil: none
}

func (c Config) withDefaults() Config {
	c.BotBurst = cmp.Or(c.BotBurst, c.BotPerSecond)
	c.ChatBurst = cmp.Or(c.ChatBurst, 3)
	c.GroupBurst = cmp.Or(c.GroupBurst, 10)
	c.BulkPerSecond = cmp.Or(c.BulkPerSecond, 30)
	c.BulkChatPerSecond = cmp.Or(c.BulkChatPerSecond, 1)
	c.BulkGroupPerMinute = cmp.Or(c.BulkGroupPerMinute, 20)
	c.BotWide = cmp.Or(c.BotWide, 5)
	c.Patience = cmp.Or(c.Patience, 5*time.Second)
	c.Poll = cmp.Or(c.Poll, 250*time.Millisecond)
	c.Timeout = cmp.Or(c.Timeout, 500*time.Millisecond)
	c.Prefix = cmp.Or(c.Prefix, "chatlane")
	c.Bucket = cmp.Or(c.Bucket, "chatlane_limits")
	c.Replicas = cmp.Or(c.Replicas, 1)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate names what is out of range.
func (c Config) Validate() error {
	switch {
	case c.BotPerSecond < 0 || c.ChatPerSecond < 0 || c.GroupPerMinute < 0:
		return errors.New("limits of sending: set ceilings of 0 or more")
	case c.BotBurst < 0 || c.ChatBurst < 0 || c.GroupBurst < 0:
		return errors.New("limits of sending: set bursts of 0 or more")
	case c.BotWide < 0 || c.Timeout < 0 || c.Poll < 0:
		return errors.New("limits of sending: set a number of chats, a timeout and a poll of 0 or more")
	}
	return nil
}

// bulkPatience is how long a bulk message waits at most: its handler sends many, one after the other.
const bulkPatience = time.Minute

func (c Config) patience(kind string) time.Duration {
	if kind == Bulk {
		return bulkPatience
	}
	return c.Patience
}
