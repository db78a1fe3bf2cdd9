package worker

import (
	"errors"
	"fmt"
	"time"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/fsm/redisstore"
	"github.com/chatlane/chatlane/internal/telegram/api"
	"github.com/chatlane/chatlane/internal/telemetry"
)

// Config is everything that a worker can be told. The zero value plus a bot token
// works against servers on loopback.
type Config struct {
	Telemetry telemetry.Config
	Broker    broker.Settings
	Bots      config.Bots

	Concurrency int           `env:"CHATLANE_CONCURRENCY" min:"1" default:"1024" help:"Turns that run at once in this worker."`
	Grace       time.Duration `env:"CHATLANE_GRACE" default:"25s" help:"How long stopping may take; then running turns are cancelled and recovered elsewhere."`
	Name        string        `env:"CHATLANE_WORKER_NAME" help:"Name of this worker among the others. Empty: host name and a random part."`

	Store        string        `env:"CHATLANE_STORE" default:"redis" help:"Where conversation state is kept: redis, or nats (a key-value bucket of the broker)."`
	RedisURL     string        `env:"CHATLANE_REDIS_URL" default:"redis://127.0.0.1:6379/0" secret:"true" help:"Redis server or, with redis+cluster://, any node of a cluster."`
	WaitReplicas int           `env:"CHATLANE_REDIS_WAIT_REPLICAS" default:"0" help:"Redis replicas that must have a commit before it counts."`
	Strategy     string        `env:"CHATLANE_FSM_STRATEGY" default:"user_in_chat" help:"Whose conversation a state is: user_in_chat, chat, global_user, user_in_topic or chat_topic."`
	LockTTL      time.Duration `env:"CHATLANE_LOCK_TTL" default:"2s" help:"Life of a lane's lock without renewal."`
	StateTTL     time.Duration `env:"CHATLANE_STATE_TTL" default:"0s" help:"Life of a conversation that nobody continues; 0: for ever."`

	BotAPIURL     string        `env:"CHATLANE_BOT_API_URL" default:"https://api.telegram.org" help:"Bot API server."`
	BotAPITimeout time.Duration `env:"CHATLANE_BOT_API_TIMEOUT" default:"15s" help:"Time for one request to the Bot API with its answer; uploads get more by their size."`
	AtMostOnce    []string      `env:"CHATLANE_AT_MOST_ONCE" help:"Bot API methods, such as sendInvoice, that are never called again once they may have had their effect; the handler gets an error instead. Empty: calls whose answer was lost are made again."`
	Deadline      time.Duration `env:"CHATLANE_HANDLER_DEADLINE" default:"30s" help:"Time that a handler has for one update."`
	MaxAttempts   int           `env:"CHATLANE_MAX_ATTEMPTS" min:"1" default:"5" help:"Failed attempts after which an update becomes a dead letter."`
	MinBackoff    time.Duration `env:"CHATLANE_MIN_BACKOFF" default:"250ms" help:"Wait before the second attempt; each further one is 4 times as long."`
	ParkAfter     time.Duration `env:"CHATLANE_PARK_AFTER" default:"2s" help:"Longest wait that a lane does in place; for a longer one it is parked."`

	ForwardURL    string        `env:"CHATLANE_FORWARD_URL" secret:"true" help:"Webhook of an existing bot, such as http://bot:3000/webhook/{bot_id}: updates are handed to it, and the handlers of this program are off."`
	ForwardSecret config.Secret `env:"CHATLANE_FORWARD_SECRET" help:"Secret that the existing bot expects in the webhook's secret header. Empty: the first of the bot's CHATLANE_WEBHOOK_SECRET."`

	LimitBot   int `env:"CHATLANE_LIMIT_BOT" default:"30" help:"Messages a second of one bot, over all workers; 0: no limit."`
	LimitChat  int `env:"CHATLANE_LIMIT_CHAT" default:"1" help:"Messages a second into one chat; 0: no limit."`
	LimitBurst int `env:"CHATLANE_LIMIT_CHAT_BURST" default:"3" help:"Messages that a chat may get at once before its limit holds."`
	LimitGroup int `env:"CHATLANE_LIMIT_GROUP" default:"20" help:"Messages a minute into one group; 0: no limit."`
}

func (c Config) withDefaults() Config {
	set(&c.Concurrency, 1024)
	set(&c.Grace, 25*time.Second)
	set(&c.Store, storeRedis)
	set(&c.RedisURL, "redis://127.0.0.1:6379/0")
	set(&c.Strategy, "user_in_chat")
	set(&c.LockTTL, 2*time.Second)
	set(&c.BotAPIURL, "https://api.telegram.org")
	set(&c.BotAPITimeout, 15*time.Second)
	set(&c.Broker.URL, "nats://127.0.0.1:4222")
	set(&c.Broker.LaneKey, "chat")
	set(&c.Telemetry.Service, "chatlane-worker")
	if c.Name == "" {
		c.Name = uniqueName()
	}
	return c
}

func set[T comparable](v *T, other T) {
	var zero T
	if *v == zero {
		*v = other
	}
}

const (
	storeRedis = "redis"
	storeNATS  = "nats"
)

// Validate names each variable with a wrong value.
func (c Config) Validate() error {
	c = c.withDefaults()
	var all []error
	must := func(name string, holds bool, right string) {
		if !holds {
			all = append(all, fmt.Errorf("%s: %s", name, right))
		}
	}
	must("CHATLANE_BOT_TOKEN", len(c.Bots.All) > 0, "no bot is set; set its token, or list several in CHATLANE_BOTS_FILE")
	must("CHATLANE_CONCURRENCY", c.Concurrency > 0 && c.Concurrency <= 1<<20, "set a number of 1 or more, such as 1024")
	must("CHATLANE_GRACE", c.Grace > 0, "set a duration such as 25s")
	must("CHATLANE_STORE", c.Store == storeRedis || c.Store == storeNATS, "set redis or nats")
	_, err := fsm.ParseStrategy(c.Strategy)
	must("CHATLANE_FSM_STRATEGY", err == nil, "set user_in_chat, chat, global_user, user_in_topic or chat_topic")
	must("CHATLANE_LOCK_TTL", c.LockTTL >= 500*time.Millisecond && c.LockTTL <= time.Minute, "set a duration from 500ms to 1m, such as 2s")
	must("CHATLANE_STATE_TTL", c.StateTTL == 0 || c.StateTTL >= time.Second, "set 1s or more, such as 720h, or 0 for ever")
	must("CHATLANE_REDIS_WAIT_REPLICAS", c.WaitReplicas >= 0, "set a number of 0 or more")
	must("CHATLANE_HANDLER_DEADLINE", c.Deadline >= 0 && c.Deadline <= 30*time.Minute, "set a duration up to 30m, such as 30s")
	must("CHATLANE_MAX_ATTEMPTS", c.MaxAttempts >= 0, "set a number of 1 or more, such as 5")
	must("CHATLANE_MIN_BACKOFF", c.MinBackoff >= 0 && c.MinBackoff <= time.Minute, "set a duration up to 1m, such as 250ms")
	for _, method := range c.AtMostOnce {
		must("CHATLANE_AT_MOST_ONCE", api.IsMethod(method), "set names of Bot API methods, such as sendInvoice")
	}
	must("CHATLANE_LIMIT_CHAT_BURST", c.LimitBurst >= 0, "set a number of 1 or more, such as 3")
	if c.Store == storeRedis {
		if err := redisstore.CheckURL(c.RedisURL); err != nil {
			all = append(all, fmt.Errorf("CHATLANE_REDIS_URL: %w", err))
		}
	}
	all = append(all, api.Config{BaseURL: c.BotAPIURL}.Validate())
	must("CHATLANE_LIMIT_BOT", c.LimitBot >= 0 && c.LimitChat >= 0 && c.LimitGroup >= 0, "set a number of 0 or more; so for CHATLANE_LIMIT_CHAT and CHATLANE_LIMIT_GROUP")
	must("CHATLANE_BOT_API_TIMEOUT", c.BotAPITimeout >= 100*time.Millisecond && c.BotAPITimeout <= 10*time.Minute, "set a duration from 100ms to 10m, such as 15s")
	_, err = c.targets()
	return errors.Join(append(all, err)...)
}
