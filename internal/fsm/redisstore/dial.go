package redisstore

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Settings are the address and login of Redis. The zero value is a server on loopback.
type Settings struct {
	URL          string `env:"CHATLANE_REDIS_URL" default:"redis://127.0.0.1:6379/0" secret:"true" help:"Redis: redis://host:6379/0, redis+cluster://host:6379 with any node of a cluster, or redis+sentinel://host:26379/0?master_name=mymaster. Further nodes or sentinels: addr=host2:port after the ?. With TLS: rediss://, rediss+cluster://, rediss+sentinel://."`
	WaitReplicas int    `env:"CHATLANE_REDIS_WAIT_REPLICAS" default:"0" help:"Redis replicas that must have a commit before it counts."`

	User     string `env:"CHATLANE_REDIS_USER" help:"ACL user of Redis. Empty: the one in the URL, else the default user."`
	Password string `env:"CHATLANE_REDIS_PASSWORD" secret:"true" help:"Password of that user. Empty: the one in the URL."`

	SentinelUser     string `env:"CHATLANE_REDIS_SENTINEL_USER" help:"ACL user of the sentinels."`
	SentinelPassword string `env:"CHATLANE_REDIS_SENTINEL_PASSWORD" secret:"true" help:"Password of the sentinels, which have one of their own."`

	CAFile   string `env:"CHATLANE_REDIS_CA_FILE" help:"PEM file of the authorities that may sign the certificate of Redis, instead of the system's."`
	CertFile string `env:"CHATLANE_REDIS_CERT_FILE" help:"PEM file of this client's certificate, where Redis asks for one."`
	KeyFile  string `env:"CHATLANE_REDIS_KEY_FILE" help:"PEM file of that certificate's key."`
}

const defaultURL = "redis://127.0.0.1:6379/0"

// poolSize is generous: if a worker dies while a call waits for a connection to be recorded, it is repeated.
const poolSize = 256

// Validate joins an error for each variable with a wrong value. It reads the certificate files. No
// error shows a part of the URL.
func (s Settings) Validate() error {
	var all []error
	if err := CheckURL(cmp.Or(s.URL, defaultURL)); err != nil {
		all = append(all, fmt.Errorf("CHATLANE_REDIS_URL: %w", err))
	}
	_, err := s.secure(&tls.Config{MinVersion: tls.VersionTLS12})
	all = append(all, err)
	if s.CAFile+s.CertFile+s.KeyFile != "" && !strings.HasPrefix(s.URL, "rediss") {
		all = append(all, errors.New("CHATLANE_REDIS_URL: set rediss://, rediss+cluster:// or rediss+sentinel://, since certificates are set and the URL is not of TLS"))
	}
	if s.WaitReplicas < 0 {
		all = append(all, errors.New("CHATLANE_REDIS_WAIT_REPLICAS: set a number of 0 or more"))
	}
	return errors.Join(all...)
}

// Dial makes a client that connects at its first use. The deadlines of contexts end its waits, and
// a refused connection is an error at once, because callers have their own backoff.
func (s Settings) Dial() (redis.UniversalClient, error) {
	redis.SetLogger(silent{}) // go-redis has one logger for the process
	at, err := parseTarget(cmp.Or(s.URL, defaultURL))
	if err != nil {
		return nil, fmt.Errorf("CHATLANE_REDIS_URL: %w", err)
	}
	switch {
	case at.cluster != nil:
		o := at.cluster
		if o.TLSConfig, err = s.secure(o.TLSConfig); err != nil {
			return nil, err
		}
		o.Username, o.Password = cmp.Or(s.User, o.Username), cmp.Or(s.Password, o.Password)
		o.ContextTimeoutEnabled, o.DialerRetries, o.PoolSize = true, 1, cmp.Or(o.PoolSize, poolSize)
		o.ReadOnly, o.RouteByLatency, o.RouteRandomly = false, false, false // replicas may be behind
		return redis.NewClusterClient(o), nil
	case at.sentinel != nil:
		o := at.sentinel
		if o.TLSConfig, err = s.secure(o.TLSConfig); err != nil {
			return nil, err
		}
		// The user in the URL is the master's, as in the other forms of the URL.
		o.Username, o.Password = cmp.Or(s.User, o.SentinelUsername), cmp.Or(s.Password, o.SentinelPassword)
		o.SentinelUsername, o.SentinelPassword = s.SentinelUser, s.SentinelPassword
		o.ContextTimeoutEnabled, o.DialerRetries, o.PoolSize = true, 1, cmp.Or(o.PoolSize, poolSize)
		o.ReplicaOnly, o.RouteByLatency, o.RouteRandomly = false, false, false
		return redis.NewFailoverClient(o), nil
	}
	o := at.server
	if o.TLSConfig, err = s.secure(o.TLSConfig); err != nil {
		return nil, err
	}
	o.Username, o.Password = cmp.Or(s.User, o.Username), cmp.Or(s.Password, o.Password)
	o.ContextTimeoutEnabled, o.DialerRetries, o.PoolSize = true, 1, cmp.Or(o.PoolSize, poolSize)
	return redis.NewClient(o), nil
}

// Dial makes a client for a URL alone.
func Dial(url string) (redis.UniversalClient, error) { return Settings{URL: url}.Dial() }

// CheckURL returns what is wrong with a URL, without a part of it.
func CheckURL(url string) error {
	_, err := parseTarget(url)
	return err
}

type target struct {
	server   *redis.Options
	cluster  *redis.ClusterOptions
	sentinel *redis.FailoverOptions
}

// parseTarget's errors show no part of the URL: an unescaped character puts part of a password into any field.
func parseTarget(text string) (at target, err error) {
	const escaped = "write special characters of a password as %XX, or set it as CHATLANE_REDIS_PASSWORD"
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return at, errors.New("it is no URL; set one such as redis://host:6379/0, and " + escaped)
	case u.Hostname() == "" || strings.ContainsAny(u.Hostname(), " @"):
		return at, errors.New("it names no host; set one such as redis://host:6379/0, and " + escaped)
	}
	plain, kind, _ := strings.Cut(u.Scheme, "+")
	u.Scheme = plain
	if plain != "redis" && plain != "rediss" {
		kind = "none"
	}
	switch kind {
	case "":
		at.server, err = redis.ParseURL(u.String())
	case "cluster":
		at.cluster, err = redis.ParseClusterURL(u.String())
	case "sentinel":
		at.sentinel, err = redis.ParseFailoverURL(u.String())
		if err == nil && at.sentinel.MasterName == "" {
			return at, errors.New("it names no master; set its name as Sentinel knows it, as in redis+sentinel://host:26379/0?master_name=mymaster")
		}
	default:
		return at, errors.New("its scheme is not known; set redis:// for a server, redis+cluster:// or redis+sentinel://, each with rediss for TLS")
	}
	if err != nil {
		return at, errors.New("its path or a parameter is not known; set a database number such as /0 behind the host, and " + escaped)
	}
	return at, nil
}

// secure completes the TLS settings of a URL; nil stays nil. The name in a certificate must match
// the dialed address, since a cluster or Sentinel refers to servers that are not in the URL.
func (s Settings) secure(c *tls.Config) (*tls.Config, error) {
	if c == nil {
		return nil, nil //nolint:nilnil // no TLS
	}
	c.ServerName = ""
	if s.CAFile != "" {
		pem, err := os.ReadFile(s.CAFile)
		if err != nil {
			return nil, fmt.Errorf("CHATLANE_REDIS_CA_FILE: set a file that can be read: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("CHATLANE_REDIS_CA_FILE: set a PEM file with a certificate; this one has none")
		}
	}
	if (s.CertFile == "") != (s.KeyFile == "") {
		return nil, errors.New("CHATLANE_REDIS_CERT_FILE: set CHATLANE_REDIS_KEY_FILE with it, or neither")
	}
	if s.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(s.CertFile, s.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("CHATLANE_REDIS_CERT_FILE: set PEM files of a certificate and its key: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// silent drops the log of go-redis, a line for each failed dial: the caller receives every failure as an error.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}
