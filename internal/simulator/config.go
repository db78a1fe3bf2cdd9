package simulator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// Token is the default token of the simulated bot.
const Token = "424242:simulated-telegram-token-0123456789"

// Config lists the bots of a simulated Telegram. The zero value is one bot with Token.
type Config struct {
	Token    string        // of the first bot; empty means Token
	Username string        // of the first bot; empty means "chatlane_bot"
	Webhook  WebhookConfig // of the first bot; without URL and Targets there is none
	More     []BotConfig   // further bots
	Seed     uint64        // of all random choices
	// AnyChat allows calls to chats that are not open; else they fail with "chat not found".
	AnyChat bool
	// MaxPending is the most pending updates of a bot; more are dropped silently. 0 means Telegram's 100,000.
	MaxPending int
	Flood      Flood
	// Dial opens the sender's connections; nil means TCP.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// BotConfig is one bot.
type BotConfig struct {
	Token    string
	Username string
	Webhook  WebhookConfig
}

// WebhookConfig is a bot's webhook and how requests are made. setWebhook changes URL, Secret, MaxConnections
// and AllowedUpdates and leaves the rest.
type WebhookConfig struct {
	URL string
	// Targets replace the URL: requests go to each in turn, as by a load balancer. A target is a URL, or
	// "host:port" with the URL's path.
	Targets []string
	// Failover tries the next target if one refuses the connection.
	Failover       bool
	Secret         string
	MaxConnections int      // 0 means 40
	AllowedUpdates []string // nil means all but chat_member and the reactions

	Twice       float64       // the share of updates that are sent a second time
	TwiceWithin time.Duration // how much later than the first, at most; 0 means 300 ms
	Seed        uint64        // of the choice what is sent twice; 0 means Config.Seed
	// RetryBase is the wait before the third attempt, then doubled five times; the second attempt follows at
	// once. 0 means Telegram's 2 s.
	RetryBase     time.Duration
	AnswerTimeout time.Duration // 0 means Telegram's 60 s
	// StrictConnections opens connections as slowly as Telegram: one at the start and after 10 s without
	// success, else 20 a second with a burst of 10.
	StrictConnections bool
}

func (c WebhookConfig) withDefaults(seed uint64) WebhookConfig {
	if c.URL == "" && len(c.Targets) > 0 {
		c.URL = c.Targets[0]
	}
	c.MaxConnections = cmp.Or(c.MaxConnections, 40)
	c.TwiceWithin = cmp.Or(c.TwiceWithin, 300*time.Millisecond)
	c.Seed = cmp.Or(c.Seed, seed)
	c.RetryBase = cmp.Or(c.RetryBase, 2*time.Second)
	c.AnswerTimeout = cmp.Or(c.AnswerTimeout, time.Minute)
	return c
}

func (c Config) bots() []BotConfig {
	first := BotConfig{Token: cmp.Or(c.Token, Token), Username: cmp.Or(c.Username, "chatlane_bot"), Webhook: c.Webhook}
	return append([]BotConfig{first}, c.More...)
}

// Validate returns all mistakes, joined. No error shows a token.
func (c Config) Validate() error {
	var wrong []error
	seen := make(map[int64]bool)
	for i, b := range c.bots() {
		id := botID(b.Token)
		switch {
		case id <= 0:
			wrong = append(wrong, fmt.Errorf("bot %d: its token begins with no number; give one such as 42:abc", i+1))
		case seen[id]:
			wrong = append(wrong, fmt.Errorf("bot %d: the id %d is taken; give each bot its own", i+1, id))
		}
		seen[id] = true
		if w := b.Webhook; w.MaxConnections < 0 || w.Twice < 0 || w.Twice > 1 {
			wrong = append(wrong, fmt.Errorf("bot %d: webhook: MaxConnections is at least 0, Twice within 0 and 1", i+1))
		}
	}
	return errors.Join(wrong...)
}

func botID(token string) int64 {
	id, _, ok := strings.Cut(token, ":")
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || !ok {
		return 0
	}
	return n
}
