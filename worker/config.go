package worker

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/chatlane/chatlane/internal/app"
	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/fsm/redisstore"
	"github.com/chatlane/chatlane/internal/telemetry"
)

// Config is all settings of a worker. The zero value plus a bot with a token works against servers on
// loopback: a zero field has the default that --help shows. It holds secrets, and prints none of them.
type Config struct {
	Bots []Bot // the bots that the worker answers for, at least one

	Name  string        // name of this worker among the others; default: host name and a random part
	Grace time.Duration // how long stopping may take; default 25 s

	NATS      NATS
	State     State
	Redis     Redis
	Turns     Turns
	BotAPI    BotAPI
	Limits    Limits
	Forward   Forward
	Telemetry Telemetry
}

// Bot is one bot. It prints its id only.
type Bot struct {
	Token    string   // as BotFather gave it
	Secrets  []string // secrets of its webhook; a worker needs the first, to forward updates
	Username string   // without @; empty: the worker asks the Bot API

	ForwardURL string // webhook of the existing bot that handles the updates; empty: Forward.URL
}

// NATS says where the broker is and how its streams are made: alike for all processes, ingress too.
type NATS struct {
	Namespace           string        // prefix of streams, subjects, buckets and Redis keys; empty: none
	URL                 string        // servers, separated by commas; default nats://127.0.0.1:4222
	Creds               string        // path of a credentials file (JWT and nkey seed)
	NKey                string        // seed of the nkey to log in with
	User                string        // NATS user
	Password            string        // of the user
	Token               string        // to log in with
	CAFile              string        // path, PEM, of the certificates that the servers' are checked against; empty: the system's
	CertFile            string        // path, PEM, of the client's certificate
	KeyFile             string        // path, PEM, of its key
	Partitions          int           // number of partitions, fixed once the stream is made; default 64
	StreamReplicas      int           // copies of the streams in a cluster, 3 in production; default 1
	StreamMaxBytes      int64         // size at which the stream refuses updates, in bytes; default 1 GiB
	DeadLettersMaxBytes int64         // size at which dead letters are refused, in bytes; default 1 GiB
	TimersMaxBytes      int64         // size at which timeouts are refused, in bytes; default 256 MiB
	StateMaxBytes       int64         // size at which a state bucket refuses, in bytes; default 1 GiB
	LaneKey             string        // what one lane is made of: chat, chat_topic, chat_user or user; default chat
	PinTTL              time.Duration // silence after which a partition changes hands; default 2 s
	Window              int           // updates of a partition that may be unfinished at once; default 256
}

// State says where conversation state is kept.
type State struct {
	Store    string        // redis or nats, a bucket of the broker; default redis
	Strategy string        // user_in_chat, chat, global_user, user_in_topic or chat_topic; default user_in_chat
	LockTTL  time.Duration // life of a lane's lock without renewal; default 2 s
	StateTTL time.Duration // life of a conversation that nobody continues; 0: for ever
}

// Redis says how to reach Redis, where State.Store is redis.
type Redis struct {
	URL          string // redis://, redis+cluster:// or redis+sentinel://, rediss for TLS; default redis://127.0.0.1:6379/0
	WaitReplicas int    // replicas that must have a commit before it counts; default 0

	User     string // ACL user; default: the one in the URL
	Password string // of that user; default: the one in the URL

	SentinelUser     string // ACL user of the sentinels
	SentinelPassword string // password of the sentinels

	CAFile   string // PEM file of the authorities that may sign Redis' certificate; default: the system's
	CertFile string // PEM file of this client's certificate, where Redis asks for one
	KeyFile  string // PEM file of that certificate's key
}

// Turns says how updates are worked on.
type Turns struct {
	Concurrency int           // turns that run at once; default 1024
	Deadline    time.Duration // time of a handler for one update; default 30 s
	MaxAttempts int           // failed attempts after which an update is a dead letter; default 5
	MinBackoff  time.Duration // wait before the second attempt, 4 times as long before each further one; default 250 ms
	ParkAfter   time.Duration // longest wait of a lane in place, it is parked for a longer one; default 2 s
	FloodWait   time.Duration // longest wait of a 429 that handlers are not told; a chat waits only for what is sent into it; default 3 min
	SkipLate    []string      // update types that get no answer once it is too late for one, with an age if they have no deadline: "message=1h"; "none": all are answered; default inline_query
}

// BotAPI says how the Bot API is called.
type BotAPI struct {
	URL        string        // Bot API server; default https://api.telegram.org
	Timeout    time.Duration // time for one request with its answer; default 15 s
	AtMostOnce []string      // methods that are never called again once they may have had their effect
}

// NoLimit is a limit that does not hold.
const NoLimit = config.NoLimit

// Limits bound what is sent, over all workers. Zero is the default, [NoLimit] is none. Replies are held back only
// by the ceilings, which default to none, and by what Telegram refuses.
type Limits struct {
	Bot   int // ceiling of one bot, in messages a second; default none
	Chat  int // ceiling of one chat, in messages a second; default none
	Burst int // messages that a chat may get at once; default 3
	Group int // ceiling of one group, in messages a minute; default none

	BulkBot   int // bulk messages a second of one bot; default 30
	BulkChat  int // bulk messages a second into one chat; default 1
	BulkGroup int // bulk messages a minute into one group; default 20
}

// Forward makes the worker hand updates to an existing bot's webhook. The router then gets none.
type Forward struct {
	URL    string // such as http://bot:3000/webhook/{bot_id}; empty: no forwarding
	Secret string // what the existing bot expects in the secret header; default: the first of Bot.Secrets
}

// Telemetry says what is logged, measured and traced.
type Telemetry struct {
	AdminListen string // address of /metrics, /healthz and /readyz; default :9090
	Pprof       bool   // serve /debug/pprof/ there
	LogLevel    string // debug, info, warn or error; default info
	LogFormat   string // json or text; default json

	Disabled       bool   // make no traces
	ServiceName    string // name of the service in traces; default: Service
	Exporter       string // otlp, console or none; default: otlp where an endpoint is set, else none
	Endpoint       string // OTLP collector, over HTTP, such as http://collector:4318
	TracesEndpoint string // the same for traces alone: the whole URL, with its path

	Service string    // name of the program; default chatlane-worker
	Output  io.Writer // takes the log and console traces; default stderr
}

// settings converts to the assembly's form. Go refuses it where a group differs from its internal form.
func (c Config) settings() app.Worker {
	s := app.Worker{
		Name: c.Name, Grace: c.Grace,
		Broker: broker.Settings(c.NATS), State: app.State(c.State), Redis: redisstore.Settings(c.Redis), Turns: app.Turns(c.Turns), BotAPI: app.BotAPI(c.BotAPI),
		Limits: app.Limits(c.Limits), Forward: app.Forward(c.Forward), Telemetry: telemetry.Config(c.Telemetry),
	}
	for _, b := range c.Bots {
		bot := config.Bot{Token: config.Secret(b.Token), Username: b.Username, Forward: config.Secret(b.ForwardURL)}
		for _, secret := range b.Secrets {
			bot.Secrets = append(bot.Secrets, config.Secret(secret))
		}
		s.Bots.All = append(s.Bots.All, bot)
	}
	return s
}

func public(s app.Worker) Config {
	c := Config{
		Name: s.Name, Grace: s.Grace,
		NATS: NATS(s.Broker), State: State(s.State), Redis: Redis(s.Redis), Turns: Turns(s.Turns), BotAPI: BotAPI(s.BotAPI),
		Limits: Limits(s.Limits), Forward: Forward(s.Forward), Telemetry: Telemetry(s.Telemetry),
	}
	for _, b := range s.Bots.All {
		bot := Bot{Token: b.Token.Reveal(), Username: b.Username, ForwardURL: b.Forward.Reveal()}
		for _, secret := range b.Secrets {
			bot.Secrets = append(bot.Secrets, secret.Reveal())
		}
		c.Bots = append(c.Bots, bot)
	}
	return c
}

// Validate names each setting with a wrong value, by its variable, a line each. [Run] does it too, before it
// opens anything.
func (c Config) Validate() error { return c.settings().Check() }

// String is the worker's name and the ids of its bots.
func (c Config) String() string { return fmt.Sprintf("worker %q of %v", c.Name, c.Bots) }

// Format writes String, whatever the verb: other forms would show secrets.
func (c Config) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// LogValue is String.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalJSON writes String.
func (c Config) MarshalJSON() ([]byte, error) { return json.Marshal(c.String()) }

// String is the bot's id.
func (b Bot) String() string {
	return fmt.Sprintf("bot %d", config.Bot{Token: config.Secret(b.Token)}.ID())
}

// Format writes String, whatever the verb: other forms would show secrets.
func (b Bot) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, b.String()) }

// LogValue is String.
func (b Bot) LogValue() slog.Value { return slog.StringValue(b.String()) }

// MarshalJSON writes String.
func (b Bot) MarshalJSON() ([]byte, error) { return json.Marshal(b.String()) }
