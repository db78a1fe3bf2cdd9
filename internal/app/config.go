package app

import (
	"errors"
	"time"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/fsm/redisstore"
	"github.com/chatlane/chatlane/internal/telegram/api"
	"github.com/chatlane/chatlane/internal/telemetry"
)

// Worker is all settings of a worker. A zero field has the default of its tag; at least one bot is required.
// Package worker has a public form of each group.
type Worker struct {
	Bots      config.Bots         `embed:"" prefix:"bots-" group:"Bots"`
	Broker    broker.Settings     `embed:"" prefix:"nats-" group:"NATS, alike for all processes"`
	Redis     redisstore.Settings `embed:"" prefix:"redis-" group:"Redis"`
	State     State               `embed:"" prefix:"state-" group:"Conversation state"`
	Turns     Turns               `embed:"" prefix:"turns-" group:"Turns"`
	BotAPI    BotAPI              `embed:"" prefix:"api-" group:"Bot API"`
	Limits    Limits              `embed:"" prefix:"limits-" group:"Limits of sending"`
	Forward   Forward             `embed:"" prefix:"forward-" group:"Forwarding to an existing bot"`
	Telemetry telemetry.Config    `embed:"" prefix:"telemetry-" group:"Logs, metrics, traces"`

	Name  string        `env:"CHATLANE_WORKER_NAME" help:"Name of this worker among the others. Empty: host name and a random part."`
	Grace time.Duration `env:"CHATLANE_GRACE" default:"25s" help:"How long stopping may take; then running turns are cancelled and recovered elsewhere."`
}

// State says where conversation state is kept, and how.
type State struct {
	Store    string        `env:"CHATLANE_STORE" default:"redis" help:"Where conversation state is kept: redis, or nats (a key-value bucket of the broker)."`
	Strategy string        `env:"CHATLANE_FSM_STRATEGY" default:"user_in_chat" help:"Whose conversation a state is: user_in_chat, chat, global_user, user_in_topic or chat_topic."`
	LockTTL  time.Duration `env:"CHATLANE_LOCK_TTL" default:"2s" help:"Life of a lane's lock without renewal."`
	StateTTL time.Duration `env:"CHATLANE_STATE_TTL" default:"0s" help:"Life of a conversation that nobody continues; 0: for ever."`
}

// Turns says how updates are worked on.
type Turns struct {
	Concurrency int           `env:"CHATLANE_CONCURRENCY" min:"1" default:"1024" help:"Turns that run at once in this worker."`
	Deadline    time.Duration `env:"CHATLANE_HANDLER_DEADLINE" default:"30s" help:"Time that a handler has for one update."`
	MaxAttempts int           `env:"CHATLANE_MAX_ATTEMPTS" min:"1" default:"5" help:"Failed attempts after which an update becomes a dead letter."`
	MinBackoff  time.Duration `env:"CHATLANE_MIN_BACKOFF" default:"250ms" help:"Wait before the second attempt; each further one is 4 times as long."`
	ParkAfter   time.Duration `env:"CHATLANE_PARK_AFTER" default:"2s" help:"Longest wait that a lane does in place; for a longer one it is parked."`
	FloodWait   time.Duration `env:"CHATLANE_FLOOD_WAIT" default:"3m" help:"Longest wait of a 429 that handlers are not told; a chat waits only for what is sent into it."`
	SkipLate    []string      `env:"CHATLANE_SKIP_LATE" default:"inline_query" help:"Update types that get no answer once it is too late for one, such as inline_query,callback_query; with an age where there is no such time, or another is meant: message=1h. none: all are answered. Forwarded updates always are."`
}

// BotAPI says how the Bot API is called.
type BotAPI struct {
	URL        string        `env:"CHATLANE_BOT_API_URL" default:"https://api.telegram.org" help:"Bot API server."`
	Timeout    time.Duration `env:"CHATLANE_BOT_API_TIMEOUT" default:"15s" help:"Time for one request to the Bot API with its answer; uploads get more by their size."`
	AtMostOnce []string      `env:"CHATLANE_AT_MOST_ONCE" help:"Bot API methods, such as sendInvoice, that are never called again once they may have had their effect; the handler gets an error instead. Empty: calls whose answer was lost are made again."`
}

// Forward says where updates go that an existing bot handles.
type Forward struct {
	URL    string `env:"CHATLANE_FORWARD_URL" secret:"true" help:"Webhook of an existing bot, such as http://bot:3000/webhook/{bot_id}: updates are handed to it, and the handlers of this program are off."`
	Secret string `env:"CHATLANE_FORWARD_SECRET" secret:"true" help:"Secret that the existing bot expects in the webhook's secret header. Empty: the first of the bot's CHATLANE_WEBHOOK_SECRET."`
}

// Limits bound what is sent, over all workers. -1 is no limit; 0 is the default, where a
// program sets the field, and no limit, where a person sets the variable.
type Limits struct {
	Bot   int `env:"CHATLANE_LIMIT_BOT" unit:"limit" default:"0" help:"Ceiling of one bot, in messages a second, over all workers; 0: none, only what Telegram refuses is held back."`
	Chat  int `env:"CHATLANE_LIMIT_CHAT" unit:"limit" default:"0" help:"Ceiling of one chat, in messages a second; 0: none."`
	Burst int `env:"CHATLANE_LIMIT_CHAT_BURST" default:"3" help:"Messages that a chat may get at once before its ceiling holds."`
	Group int `env:"CHATLANE_LIMIT_GROUP" unit:"limit" default:"0" help:"Ceiling of one group, in messages a minute; 0: none."`

	BulkBot   int `env:"CHATLANE_BULK_BOT" unit:"limit" default:"30" help:"Bulk messages a second of one bot, over all workers; 0: no limit."`
	BulkChat  int `env:"CHATLANE_BULK_CHAT" unit:"limit" default:"1" help:"Bulk messages a second into one chat; 0: no limit."`
	BulkGroup int `env:"CHATLANE_BULK_GROUP" unit:"limit" default:"20" help:"Bulk messages a minute into one group; 0: no limit."`
}

const (
	storeRedis = "redis"
	storeNATS  = "nats"
)

func (c Worker) withDefaults() Worker {
	config.Defaults(&c)
	if c.Telemetry.Service == "" {
		c.Telemetry.Service = "chatlane-worker"
	}
	if c.Name == "" {
		c.Name = uniqueName()
	}
	return c
}

// Validate names each variable with a wrong value, but for those of Telemetry and Broker.
func (c Worker) Validate() error {
	c = c.withDefaults()
	p := config.Problems{}
	p.Add(c.Bots.Check())
	p.Must("CHATLANE_GRACE", c.Grace > 0, "set a duration such as 25s")
	c.State.validate(&p)
	if c.State.Store != storeNATS {
		p.Add(c.Redis.Validate())
	}
	c.Turns.validate(&p)
	c.BotAPI.validate(&p)
	c.Limits.validate(&p)
	_, err := c.targets()
	p.Add(err)
	return p.Err()
}

// Check names each variable with a wrong value.
func (s State) Check() error {
	var p config.Problems
	s.validate(&p)
	return p.Err()
}

func (s State) validate(p *config.Problems) {
	_, err := fsm.ParseStrategy(s.Strategy)
	p.Must("CHATLANE_FSM_STRATEGY", err == nil, "set user_in_chat, chat, global_user, user_in_topic or chat_topic")
	p.Must("CHATLANE_STORE", s.Store == storeRedis || s.Store == storeNATS, "set redis or nats")
	p.Must("CHATLANE_LOCK_TTL", s.LockTTL >= 500*time.Millisecond && s.LockTTL <= time.Minute, "set a duration from 500ms to 1m, such as 2s")
	p.Must("CHATLANE_STATE_TTL", s.StateTTL == 0 || s.StateTTL >= time.Second, "set 1s or more, such as 720h, or 0 for ever")
}

func (t Turns) validate(p *config.Problems) {
	p.Must("CHATLANE_CONCURRENCY", t.Concurrency > 0 && t.Concurrency <= 1<<20, "set a number of 1 or more, such as 1024")
	p.Must("CHATLANE_HANDLER_DEADLINE", t.Deadline > 0 && t.Deadline <= 30*time.Minute, "set a duration up to 30m, such as 30s")
	p.Must("CHATLANE_MAX_ATTEMPTS", t.MaxAttempts > 0, "set a number of 1 or more, such as 5")
	p.Must("CHATLANE_MIN_BACKOFF", t.MinBackoff > 0 && t.MinBackoff <= time.Minute, "set a duration up to 1m, such as 250ms")
	p.Must("CHATLANE_PARK_AFTER", t.ParkAfter > 0, "set a duration such as 2s")
	p.Must("CHATLANE_FLOOD_WAIT", t.FloodWait > 0, "set a duration such as 3m")
	_, err := skipAges(t.SkipLate)
	p.Must("CHATLANE_SKIP_LATE", err == nil, "set update types such as inline_query, with an age where they have no deadline of their own, such as message=1h, or none")
}

func (b BotAPI) validate(p *config.Problems) {
	p.Add(api.Config{BaseURL: b.URL}.Validate())
	p.Must("CHATLANE_BOT_API_TIMEOUT", b.Timeout >= 100*time.Millisecond && b.Timeout <= 10*time.Minute, "set a duration from 100ms to 10m, such as 15s")
	for _, method := range b.AtMostOnce {
		p.Must("CHATLANE_AT_MOST_ONCE", api.IsMethod(method), "set names of Bot API methods, such as sendInvoice")
	}
}

func (l Limits) validate(p *config.Problems) {
	p.Must("CHATLANE_LIMIT_CHAT_BURST", l.Burst >= 0, "set a number of 1 or more, such as 3")
	for _, limit := range []struct {
		name  string
		value int
		right string
	}{
		{"CHATLANE_LIMIT_BOT", l.Bot, "30"},
		{"CHATLANE_LIMIT_CHAT", l.Chat, "1"},
		{"CHATLANE_LIMIT_GROUP", l.Group, "20"},
		{"CHATLANE_BULK_BOT", l.BulkBot, "30"},
		{"CHATLANE_BULK_CHAT", l.BulkChat, "1"},
		{"CHATLANE_BULK_GROUP", l.BulkGroup, "20"},
	} {
		p.Must(limit.name, limit.value >= -1, "set a number of 0 or more, such as "+limit.right)
	}
}

// Check validates all parts.
func (c Worker) Check() error {
	return errors.Join(c.Telemetry.Validate(), c.Broker.Validate(), c.Validate())
}
