package api

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Config holds the client's settings. The zero value is usable.
type Config struct {
	BaseURL     string        // server, perhaps with a path; empty means https://api.telegram.org
	Timeout     time.Duration // for one request with its answer; a long poll's wait and an upload's time are added; 0 means 15 s
	DialTimeout time.Duration // 0 means 5 s
	Attempts    int           // at a call that fails with 5xx or cannot be delivered; 0 means 3
	Backoff     time.Duration // before the second attempt, then doubled; 0 means 150 ms
	// Linger is how long a journaled call waits for its answer after its context has ended; 0 means 2 s.
	Linger     time.Duration
	MaxAnswer  int64         // bytes of what getUpdates may give; 0 means 64 MiB; other methods at most 1 MiB of it
	MaxUpload  int64         // bytes of a call's files that cannot be read twice and are held in memory; 0 means 64 MiB
	RecordTime time.Duration // for writing the journal, also after a call's context ended; 0 means 5 s
	// AtMostOnce names methods that are never repeated once they may have had their effect. For a single
	// call, use AtMostOnce(ctx).
	AtMostOnce []string
	// Migrated is called when a group became a supergroup. May be nil.
	Migrated func(bot, from, to int64)
	// Transport sends the requests; nil means the client's own.
	Transport http.RoundTripper
}

func (c Config) withDefaults() Config {
	c.BaseURL = strings.TrimRight(cmp.Or(c.BaseURL, "https://api.telegram.org"), "/")
	c.Timeout = cmp.Or(c.Timeout, 15*time.Second)
	c.DialTimeout = cmp.Or(c.DialTimeout, 5*time.Second)
	c.Attempts = cmp.Or(c.Attempts, 3)
	c.Backoff = cmp.Or(c.Backoff, 150*time.Millisecond)
	c.MaxAnswer = cmp.Or(c.MaxAnswer, 64<<20)
	c.MaxUpload = cmp.Or(c.MaxUpload, 64<<20)
	c.Linger = cmp.Or(c.Linger, 2*time.Second)
	c.RecordTime = cmp.Or(c.RecordTime, 5*time.Second)
	return c
}

// Validate returns an error that names the setting and a right value.
func (c Config) Validate() error {
	c = c.withDefaults()
	u, err := url.Parse(c.BaseURL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return errors.New("CHATLANE_BOT_API_URL: set a URL such as https://api.telegram.org")
	case u.RawQuery != "" || u.Fragment != "":
		return errors.New("CHATLANE_BOT_API_URL: set a URL without query and fragment")
	case c.Timeout < 0 || c.DialTimeout < 0 || c.Backoff < 0 || c.Attempts < 0:
		return fmt.Errorf("timeouts and attempts of the bot api client: set values of 0 or more")
	}
	return nil
}
