package ingress

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/telegram/update"
	"github.com/chatlane/chatlane/internal/telemetry"
)

// Config says what to take in, and where to store it.
type Config struct {
	Telemetry telemetry.Config
	Broker    broker.Settings
	Bots      config.Bots

	Listen         string        `env:"CHATLANE_LISTEN" default:":8080" help:"Address that receives webhook requests, on the path /webhook/<bot id>."`
	AllowedIPs     []string      `env:"CHATLANE_ALLOWED_IPS" help:"Address ranges that may send webhook requests; the word telegram stands for Telegram's own. Empty: any address."`
	TrustedProxies []string      `env:"CHATLANE_TRUSTED_PROXIES" help:"Address ranges of proxies whose X-Forwarded-For header is believed."`
	MaxBody        int64         `env:"CHATLANE_MAX_BODY" default:"1MiB" unit:"bytes" help:"Largest update that is accepted; the broker's own limit holds too."`
	PublishTimeout time.Duration `env:"CHATLANE_PUBLISH_TIMEOUT" default:"2s" help:"How long one update may wait to be stored before Telegram is asked to send it again."`
	ConnMaxAge     time.Duration `env:"CHATLANE_CONN_MAX_AGE" default:"5m" help:"Age at which a connection is closed, so that new instances get their share; a fifth more or less."`
	DrainDelay     time.Duration `env:"CHATLANE_DRAIN_DELAY" default:"0s" help:"How long to go on accepting after SIGTERM, not ready, until the load balancer has noticed."`
	Grace          time.Duration `env:"CHATLANE_GRACE" default:"25s" help:"How long stopping may take."`

	BotAPIURL      string   `env:"CHATLANE_BOT_API_URL" default:"https://api.telegram.org" help:"Bot API server."`
	Polling        bool     `env:"CHATLANE_POLLING" help:"Fetch updates by long polling instead of receiving webhook requests."`
	WebhookURL     string   `env:"CHATLANE_WEBHOOK_URL" help:"Public address of this ingress, such as https://bot.example.com. If set, each bot's webhook is set to it at start, and watched."`
	AllowedUpdates []string `env:"CHATLANE_ALLOWED_UPDATES" help:"Update types to ask Telegram for. Empty: all but chat_member, message_reaction and message_reaction_count."`
}

func (c Config) withDefaults() Config {
	c.Listen = or(c.Listen, ":8080")
	c.MaxBody = or(c.MaxBody, update.MaxBody)
	c.PublishTimeout = or(c.PublishTimeout, 2*time.Second)
	c.ConnMaxAge = or(c.ConnMaxAge, 5*time.Minute)
	c.Grace = or(c.Grace, 25*time.Second)
	c.BotAPIURL = or(c.BotAPIURL, "https://api.telegram.org")
	c.Broker.URL = or(c.Broker.URL, "nats://127.0.0.1:4222")
	c.Telemetry.Service = or(c.Telemetry.Service, "chatlane-ingress")
	return c
}

func or[T comparable](v, other T) T {
	var zero T
	if v == zero {
		return other
	}
	return v
}

// Validate names each variable with a wrong value; those of Telemetry, Broker and
// Bots are theirs to validate. A bot whose webhook has no secret is refused:
// anyone could speak for anyone.
func (c Config) Validate() error {
	c = c.withDefaults()
	p := problems{}
	p.must("CHATLANE_LISTEN", telemetry.IsAddress(c.Listen), "set an address such as :8080")
	for _, name := range c.AllowedUpdates {
		p.must("CHATLANE_ALLOWED_UPDATES", update.IsKnown(name), "set names of update types, such as message,callback_query")
	}
	_, err := parseNetworks(c.AllowedIPs)
	p.add("CHATLANE_ALLOWED_IPS", err)
	_, err = parseNetworks(c.TrustedProxies)
	p.add("CHATLANE_TRUSTED_PROXIES", err)
	p.must("CHATLANE_MAX_BODY", c.MaxBody >= 1<<10 && c.MaxBody <= update.MaxBody, "set a size from 1KiB to 1MiB")
	p.must("CHATLANE_PUBLISH_TIMEOUT", c.PublishTimeout > 0 && c.PublishTimeout <= 10*time.Second,
		"set a duration up to 10s, such as 2s; a longer one risks to store an update behind later ones")
	p.must("CHATLANE_CONN_MAX_AGE", c.ConnMaxAge >= time.Second, "set 1s or more, such as 5m")
	p.must("CHATLANE_DRAIN_DELAY", c.DrainDelay >= 0 && c.DrainDelay < c.Grace, "set less than CHATLANE_GRACE, such as 5s")
	p.must("CHATLANE_GRACE", c.Grace > 0, "set a duration such as 25s")
	p.must("CHATLANE_BOT_API_URL", isURL(c.BotAPIURL, "http", "https"), "set a URL such as https://api.telegram.org")
	if c.WebhookURL != "" {
		p.must("CHATLANE_WEBHOOK_URL", isURL(c.WebhookURL, "http", "https"), "set a URL such as https://bot.example.com")
		p.must("CHATLANE_WEBHOOK_URL", !c.Polling, "leave it empty, or leave CHATLANE_POLLING off; Telegram does one or the other")
	}
	c.checkBots(&p)
	return errors.Join(p.all...)
}

func (c Config) checkBots(p *problems) {
	p.must("CHATLANE_BOT_TOKEN", len(c.Bots.All) > 0, "no bot is set; set its token, or list several in CHATLANE_BOTS_FILE")
	for _, b := range c.Bots.All {
		if id := b.ID(); id != 0 && !c.Polling && len(b.Secrets) == 0 {
			p.addf("CHATLANE_WEBHOOK_SECRET: bot %d has none; set 1 to 256 letters, digits, _ or -", id)
		}
	}
}

func isURL(text string, schemes ...string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && slices.Contains(schemes, u.Scheme)
}

// problems gathers lines that name a variable and what would be right.
type problems struct{ all []error }

func (p *problems) addf(format string, args ...any) {
	p.all = append(p.all, fmt.Errorf(format, args...))
}

func (p *problems) add(name string, err error) {
	if err != nil {
		p.addf("%s: %w", name, err)
	}
}

func (p *problems) must(name string, holds bool, right string) {
	if !holds {
		p.addf("%s: %s", name, right)
	}
}
