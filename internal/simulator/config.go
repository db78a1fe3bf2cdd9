package simulator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// Token is the token of the simulated bot unless configured.
const Token = "424242:simulated-telegram-token-0123456789"

// Config says which bots there are. The zero value is one bot with Token.
type Config struct {
	Token    string        // of the first bot; empty means Token
	Username string        // of the first bot; empty means "chatlane_bot"
	Webhook  WebhookConfig // of the first bot; without URL and Targets there is none
	More     []BotConfig   // further bots
	Seed     uint64        // of all that is left to chance
	// AnyChat lets calls go to chats that nobody has opened; else they are answered
	// "chat not found".
	AnyChat bool
	// MaxPending is how many updates a bot may have waiting, those beyond are lost
	// without a word; 0 means Telegram's 100,000.
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

// WebhookConfig says where a bot's updates go, and how. setWebhook changes URL,
// Secret, MaxConnections and AllowedUpdates and leaves the rest.
type WebhookConfig struct {
	URL string
	// Targets take the place of the URL, one request after the other, as a load
	// balancer would have it: "host:port" with the URL's path, or URLs of their own.
	Targets []string
	// Failover goes on to the next target when one refuses the connection.
	Failover       bool
	Secret         string
	MaxConnections int      // 0 means 40
	AllowedUpdates []string // nil means all but chat_member and the reactions

	Twice       float64       // the share of updates that are sent a second time
	TwiceWithin time.Duration // how much later than the first, at most; 0 means 300 ms
	Seed        uint64        // of what is sent twice; 0 means Config.Seed
	// RetryBase is the wait before the third try, doubled five times from there;
	// the second try comes at once. 0 means Telegram's 2 s.
	RetryBase     time.Duration
	AnswerTimeout time.Duration // 0 means Telegram's 60 s
	// StrictConnections opens connections as slowly as Telegram does: one at the
	// start and after 10 s without success, else 20 a second with a burst of 10.
	StrictConnections bool
}

func (c WebhookConfig) withDefaults(seed uint64) WebhookConfig {
	if c.URL == "" && len(c.Targets) > 0 {
		c.URL = c.Targets[0]
	}
	if c.MaxConnections == 0 {
		c.MaxConnections = 40
	}
	if c.TwiceWithin == 0 {
		c.TwiceWithin = 300 * time.Millisecond
	}
	if c.Seed == 0 {
		c.Seed = seed
	}
	if c.RetryBase == 0 {
		c.RetryBase = 2 * time.Second
	}
	if c.AnswerTimeout == 0 {
		c.AnswerTimeout = time.Minute
	}
	return c
}

// bots are all configured bots, the first one first.
func (c Config) bots() []BotConfig {
	first := BotConfig{Token: c.Token, Username: c.Username, Webhook: c.Webhook}
	if first.Token == "" {
		first.Token = Token
	}
	if first.Username == "" {
		first.Username = "chatlane_bot"
	}
	return append([]BotConfig{first}, c.More...)
}

// Validate tells what is wrong with it, all at once, without naming a token.
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
