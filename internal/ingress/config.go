package ingress

import (
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/telegram/update"
	"github.com/chatlane/chatlane/internal/telemetry"
)

// Config is the settings of ingress. The zero value lacks only bots.
type Config struct {
	Bots      config.Bots      `embed:"" prefix:"bots-" group:"Bots"`
	Broker    broker.Settings  `embed:"" prefix:"nats-" group:"NATS, alike for all processes"`
	Telemetry telemetry.Config `embed:"" prefix:"telemetry-" group:"Logs, metrics, traces"`

	Listen         string        `env:"CHATLANE_LISTEN" default:":8080" help:"Address that receives webhook requests, on the path /webhook/<bot id>."`
	AllowedIPs     []string      `env:"CHATLANE_ALLOWED_IPS" help:"Address ranges that may send webhook requests; the word telegram stands for Telegram's own. Empty: any address."`
	TrustedProxies []string      `env:"CHATLANE_TRUSTED_PROXIES" help:"Address ranges of proxies whose X-Forwarded-For header is believed."`
	MaxBody        int64         `env:"CHATLANE_MAX_BODY" default:"1MiB" unit:"bytes" help:"Largest update that is accepted; the broker's own limit holds too."`
	PublishTimeout time.Duration `env:"CHATLANE_PUBLISH_TIMEOUT" default:"2s" help:"How long one update may wait to be stored before Telegram is asked to send it again."`
	ConnMaxAge     time.Duration `env:"CHATLANE_CONN_MAX_AGE" default:"5m" help:"Age at which a connection is closed, so that new instances get their share; a fifth more or less."`
	MaxConns       int           `env:"CHATLANE_MAX_CONNS" default:"4096" help:"Connections that may be open; above it a new one replaces the oldest that has not brought an update."`
	DrainDelay     time.Duration `env:"CHATLANE_DRAIN_DELAY" default:"1s" help:"How long to go on accepting after SIGTERM, not ready and closing each connection with its answer, until the load balancer has noticed. A negative one: not at all."`
	Grace          time.Duration `env:"CHATLANE_GRACE" default:"25s" help:"How long stopping may take."`

	ScaleAge time.Duration `env:"CHATLANE_SCALE_AGE" default:"5s" help:"Age of the oldest waiting update that is aimed at: /scale on the admin address asks for more workers when it is exceeded."`

	BotAPIURL      string   `env:"CHATLANE_BOT_API_URL" default:"https://api.telegram.org" help:"Bot API server."`
	Polling        bool     `env:"CHATLANE_POLLING" help:"Fetch updates by long polling instead of receiving webhook requests."`
	WebhookURL     string   `env:"CHATLANE_WEBHOOK_URL" help:"Public address of this ingress, such as https://bot.example.com. If set, each bot's webhook is set to it at start, and watched."`
	AllowedUpdates []string `env:"CHATLANE_ALLOWED_UPDATES" help:"Update types to ask Telegram for. Empty: all but chat_member, message_reaction and message_reaction_count."`
}

// WithDefaults fills in the environment's defaults.
func (c Config) WithDefaults() Config {
	config.Defaults(&c)
	if c.DrainDelay == time.Second { // the default leaves room in a short grace period
		c.DrainDelay = min(c.DrainDelay, c.Grace/4)
	}
	if c.Telemetry.Service == "" {
		c.Telemetry.Service = "chatlane-ingress"
	}
	return c
}

// Validate returns an error for each variable with a wrong value, joined; those of Telemetry and Broker
// validate themselves. A webhook without a secret is refused: anyone could send updates in any user's name.
func (c Config) Validate() error {
	c = c.WithDefaults()
	p := config.Problems{}
	p.Must("CHATLANE_LISTEN", telemetry.IsAddress(c.Listen), "set an address such as :8080")
	for _, name := range c.AllowedUpdates {
		p.Must("CHATLANE_ALLOWED_UPDATES", update.IsKnown(name), "set names of update types, such as message,callback_query")
	}
	_, err := parseNetworks(c.AllowedIPs)
	p.Named("CHATLANE_ALLOWED_IPS", err)
	_, err = parseNetworks(c.TrustedProxies)
	p.Named("CHATLANE_TRUSTED_PROXIES", err)
	p.Must("CHATLANE_MAX_BODY", c.MaxBody >= 1<<10 && c.MaxBody <= update.MaxBody, "set a size from 1KiB to 1MiB")
	p.Must("CHATLANE_PUBLISH_TIMEOUT", c.PublishTimeout > 0 && c.PublishTimeout <= 10*time.Second,
		"set a duration up to 10s, such as 2s; a longer one risks to store an update behind later ones")
	p.Must("CHATLANE_CONN_MAX_AGE", c.ConnMaxAge >= time.Second, "set 1s or more, such as 5m")
	p.Must("CHATLANE_MAX_CONNS", c.MaxConns >= 16, "set 16 or more, such as 4096")
	p.Must("CHATLANE_DRAIN_DELAY", c.DrainDelay < c.Grace, "set less than CHATLANE_GRACE, such as 5s")
	p.Must("CHATLANE_GRACE", c.Grace > 0, "set a duration such as 25s")
	p.Must("CHATLANE_BOT_API_URL", isURL(c.BotAPIURL, "http", "https"), "set a URL such as https://api.telegram.org")
	if c.WebhookURL != "" {
		p.Must("CHATLANE_WEBHOOK_URL", isURL(c.WebhookURL, "http", "https"), "set a URL such as https://bot.example.com")
		p.Must("CHATLANE_WEBHOOK_URL", !c.Polling, "leave it empty, or leave CHATLANE_POLLING off; Telegram does one or the other")
	}
	c.checkBots(&p)
	return p.Err()
}

func (c Config) checkBots(p *config.Problems) {
	p.Add(c.Bots.Check())
	for _, b := range c.Bots.All {
		p.Must("CHATLANE_WEBHOOK_SECRET", c.Polling || len(b.Secrets) > 0 || b.ID() == 0, // 0: its token is wrong
			fmt.Sprintf("bot %d has none; set 1 to 256 letters, digits, _ or -", b.ID()))
	}
}

func isURL(text string, schemes ...string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && slices.Contains(schemes, u.Scheme)
}
