package broker

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/chatlane/chatlane/internal/lane"
)

// Settings are the broker settings, which all processes of an installation share.
type Settings struct {
	Namespace           string        `env:"CHATLANE_NAMESPACE" help:"Prefix of streams, subjects, buckets and Redis keys: installations with different ones share servers and do not meet. Empty: none."`
	URL                 string        `env:"CHATLANE_NATS_URL" default:"nats://127.0.0.1:4222" secret:"true" help:"NATS servers, separated by commas."`
	Creds               string        `env:"CHATLANE_NATS_CREDS" help:"Credentials file of a NATS user (JWT and nkey seed)."`
	NKey                string        `env:"CHATLANE_NATS_NKEY" secret:"true" help:"Seed of the nkey to log in with."`
	User                string        `env:"CHATLANE_NATS_USER" help:"NATS user."`
	Password            string        `env:"CHATLANE_NATS_PASSWORD" secret:"true" help:"Password of the NATS user."`
	Token               string        `env:"CHATLANE_NATS_TOKEN" secret:"true" help:"Token to log in with."`
	CAFile              string        `env:"CHATLANE_NATS_CA_FILE" help:"Certificates (PEM) that the NATS servers' are checked against. Empty: those of the system."`
	CertFile            string        `env:"CHATLANE_NATS_CERT_FILE" help:"Client certificate (PEM), with CHATLANE_NATS_KEY_FILE."`
	KeyFile             string        `env:"CHATLANE_NATS_KEY_FILE" help:"Key (PEM) of the client certificate."`
	Partitions          int           `env:"CHATLANE_PARTITIONS" min:"1" default:"64" help:"Number of partitions; fixed once the stream is made."`
	StreamReplicas      int           `env:"CHATLANE_STREAM_REPLICAS" min:"1" default:"1" help:"Copies of the streams in a NATS cluster: 3 in production."`
	StreamMaxBytes      int64         `env:"CHATLANE_STREAM_MAX_BYTES" min:"1" default:"1GiB" unit:"bytes" help:"Size at which the stream refuses updates, which Telegram then keeps."`
	DeadLettersMaxBytes int64         `env:"CHATLANE_DEAD_LETTERS_MAX_BYTES" min:"1" default:"1GiB" unit:"bytes" help:"Size at which the oldest dead letters are dropped for new ones."`
	TimersMaxBytes      int64         `env:"CHATLANE_TIMERS_MAX_BYTES" min:"1" default:"256MiB" unit:"bytes" help:"Size at which timeouts are refused; their lanes then wait until some have fired."`
	StateMaxBytes       int64         `env:"CHATLANE_STATE_MAX_BYTES" min:"1" default:"1GiB" unit:"bytes" help:"Size at which a state bucket (CHATLANE_STORE=nats) refuses; lanes then wait for more room."`
	LaneKey             string        `env:"CHATLANE_LANE_KEY" default:"chat" help:"What one lane is made of: chat, chat_topic, chat_user or user."`
	PinTTL              time.Duration `env:"CHATLANE_PIN_TTL" default:"2s" help:"Silence after which a partition changes hands: the failover time."`
	Window              int           `env:"CHATLANE_WINDOW" min:"1" default:"256" help:"Updates that a partition's worker may hold unfinished; then intake slows."`
}

// Config is the connection by these settings. The broker's monitoring shows name.
func (s Settings) Config(name string) Config {
	return Config{
		URL: s.URL, Name: name, Namespace: s.Namespace, Creds: s.Creds, NKey: s.NKey, User: s.User, Password: s.Password, Token: s.Token,
		CAFile: s.CAFile, CertFile: s.CertFile, KeyFile: s.KeyFile,
	}
}

// Topology is the streams and consumers by these settings, with defaults.
func (s Settings) Topology() Topology {
	return Topology{
		Partitions: s.Partitions, Replicas: s.StreamReplicas, MaxBytes: s.StreamMaxBytes,
		DeadLettersMaxBytes: s.DeadLettersMaxBytes, TimersMaxBytes: s.TimersMaxBytes, StateMaxBytes: s.StateMaxBytes,
		Window: s.Window, PinTTL: s.PinTTL, LaneKey: s.By(),
	}.withDefaults()
}

// By is the lane key; a wrong one, which Validate refuses, counts as chat.
func (s Settings) By() lane.By {
	by, err := lane.ParseBy(s.LaneKey)
	if err != nil {
		return lane.ByChat
	}
	return by
}

// Validate joins an error for each variable with a wrong value.
func (s Settings) Validate() error {
	var all []error
	must := func(name string, holds bool, right string) {
		if !holds {
			all = append(all, fmt.Errorf("%s: %s", name, right))
		}
	}
	must("CHATLANE_NAMESPACE", s.Namespace == "" || isNamespace(s.Namespace), "set a lower-case letter and up to 31 letters, digits or -, such as shop-2, or leave it empty")
	for server := range strings.SplitSeq(s.URL, ",") {
		u, err := url.Parse(strings.TrimSpace(server))
		must("CHATLANE_NATS_URL", s.URL == "" || err == nil && u.Host != "" && slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme),
			"set addresses such as nats://127.0.0.1:4222, separated by commas")
	}
	ways := 0
	for _, set := range []bool{s.Creds != "", s.NKey != "", s.User != "", s.Token != ""} {
		if set {
			ways++
		}
	}
	must("CHATLANE_NATS_CREDS", ways <= 1, "set one way to log in: CHATLANE_NATS_CREDS, CHATLANE_NATS_NKEY, CHATLANE_NATS_TOKEN, or CHATLANE_NATS_USER with CHATLANE_NATS_PASSWORD")
	must("CHATLANE_NATS_PASSWORD", s.Password == "" || s.User != "", "set CHATLANE_NATS_USER too")
	must("CHATLANE_NATS_CERT_FILE", (s.CertFile == "") == (s.KeyFile == ""), "set CHATLANE_NATS_CERT_FILE and CHATLANE_NATS_KEY_FILE, or neither")
	_, err := lane.ParseBy(s.LaneKey)
	must("CHATLANE_LANE_KEY", err == nil || s.LaneKey == "", "set chat, chat_topic, chat_user or user")
	must("CHATLANE_PARTITIONS", s.Partitions >= 0 && s.Partitions <= 1024, "set a number from 1 to 1024, such as 64")
	must("CHATLANE_STREAM_REPLICAS", s.StreamReplicas >= 0 && s.StreamReplicas <= 5, "set a number from 1 to 5, such as 3")
	must("CHATLANE_STREAM_MAX_BYTES", s.StreamMaxBytes == 0 || s.StreamMaxBytes >= 1<<20, "set 1MiB or more, such as 1GiB")
	must("CHATLANE_DEAD_LETTERS_MAX_BYTES", s.DeadLettersMaxBytes == 0 || s.DeadLettersMaxBytes >= 1<<20, "set 1MiB or more, such as 1GiB")
	must("CHATLANE_TIMERS_MAX_BYTES", s.TimersMaxBytes == 0 || s.TimersMaxBytes >= 1<<20, "set 1MiB or more, such as 256MiB")
	must("CHATLANE_STATE_MAX_BYTES", s.StateMaxBytes == 0 || s.StateMaxBytes >= 1<<20, "set 1MiB or more, such as 1GiB")
	must("CHATLANE_PIN_TTL", s.PinTTL == 0 || s.PinTTL >= 500*time.Millisecond && s.PinTTL <= time.Minute, "set a duration from 500ms to 1m, such as 2s")
	must("CHATLANE_WINDOW", s.Window >= 0 && s.Window <= 8192, "set a number from 1 to 8192, such as 256")
	return errors.Join(all...)
}
