package broker

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// login returns options for authentication and TLS. Reconnections read the files again, except for
// nkey and certificate.
func (c Config) login() (opts []nats.Option, err error) {
	switch {
	case c.Creds != "":
		if _, err := os.Stat(c.Creds); err != nil {
			return nil, fmt.Errorf("CHATLANE_NATS_CREDS: %w", err)
		}
		opts = append(opts, nats.UserCredentials(c.Creds))
	case c.NKey != "":
		opt, err := nkeyOption(c.NKey)
		if err != nil {
			return nil, err
		}
		opts = append(opts, opt)
	case c.User != "":
		opts = append(opts, nats.UserInfo(c.User, c.Password))
	case c.Token != "":
		opts = append(opts, nats.Token(c.Token))
	}
	if c.CAFile != "" {
		if _, err := os.Stat(c.CAFile); err != nil {
			return nil, fmt.Errorf("CHATLANE_NATS_CA_FILE: %w", err)
		}
		opts = append(opts, nats.RootCAs(c.CAFile))
	}
	if c.CertFile != "" {
		if _, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile); err != nil {
			return nil, fmt.Errorf("CHATLANE_NATS_CERT_FILE and CHATLANE_NATS_KEY_FILE: %w", err)
		}
		opts = append(opts, nats.ClientCert(c.CertFile, c.KeyFile))
	}
	return opts, nil
}

// The error does not quote the seed.
func nkeyOption(seed string) (nats.Option, error) {
	pair, err := nkeys.FromSeed([]byte(seed))
	if err != nil {
		return nil, errors.New("CHATLANE_NATS_NKEY: set the seed of an nkey: it begins with SU")
	}
	public, err := pair.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("CHATLANE_NATS_NKEY: %w", err)
	}
	return nats.Nkey(public, pair.Sign), nil
}

type natsContext struct {
	URL      string `json:"url"`
	Creds    string `json:"creds"`
	NKey     string `json:"nkey"` // path of a seed
	User     string `json:"user"`
	Password string `json:"password"`
	Token    string `json:"token"`
	CA       string `json:"ca"`
	Cert     string `json:"cert"`
	Key      string `json:"key"`
}

var ErrNoContext = errors.New("no such nats context")

// ReadContext reads a context of the nats command line tool; an empty name means the selected one. See [ContextDir].
func ReadContext(dir, name string) (Settings, error) {
	if name == "" {
		selected, err := os.ReadFile(filepath.Join(dir, "context.txt")) //nolint:gosec // the operator names the folder
		if err != nil {
			return Settings{}, fmt.Errorf("%w: none is selected in %s", ErrNoContext, dir)
		}
		name = strings.TrimSpace(string(selected))
	}
	path := filepath.Join(dir, "context", filepath.Base(name)+".json")
	text, err := os.ReadFile(path) //nolint:gosec // the operator names the folder
	if errors.Is(err, fs.ErrNotExist) {
		return Settings{}, fmt.Errorf("%w: %s is not there", ErrNoContext, path)
	}
	if err != nil {
		return Settings{}, fmt.Errorf("read nats context: %w", err)
	}
	var c natsContext
	if err := json.Unmarshal(text, &c); err != nil {
		return Settings{}, fmt.Errorf("read nats context %s: it is not JSON as the nats tool writes it", path)
	}
	s := Settings{
		URL: c.URL, Creds: c.Creds, User: c.User, Password: c.Password, Token: c.Token,
		CAFile: c.CA, CertFile: c.Cert, KeyFile: c.Key,
	}
	if c.NKey != "" {
		seed, err := os.ReadFile(c.NKey)
		if err != nil {
			return Settings{}, fmt.Errorf("read nkey of nats context %s: %w", name, err)
		}
		s.NKey = strings.TrimSpace(string(seed))
	}
	return s, nil
}

// ContextDir is the folder of the nats tool's contexts. configHome is XDG_CONFIG_HOME, and may be empty.
func ContextDir(configHome, home string) string {
	if configHome == "" {
		configHome = filepath.Join(home, ".config")
	}
	return filepath.Join(configHome, "nats")
}
