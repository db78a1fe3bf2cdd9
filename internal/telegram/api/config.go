package api

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Config says how the Bot API is called. The zero value is usable.
type Config struct {
	BaseURL     string        // server, perhaps with a path; empty means https://api.telegram.org
	Timeout     time.Duration // for one request with its answer, a long poll's wait and an upload's size added; 0 means 15 s
	DialTimeout time.Duration // 0 means 5 s
	Attempts    int           // at a call that fails with 5xx or cannot be delivered; 0 means 3
	Backoff     time.Duration // before the second attempt, then doubled; 0 means 150 ms
	// Linger is how much longer a journaled call that is on its way waits for its answer
	// when its context ends: given up, it would be made again. 0 means 2 s.
	Linger     time.Duration
	MaxAnswer  int64         // bytes; 0 means 64 MiB, what getUpdates may give
	MaxUpload  int64         // bytes of a call's files that cannot be read twice and are held in memory; 0 means 64 MiB
	RecordTime time.Duration // for writing the journal, also after a call's context ended; 0 means 5 s
	// AtMostOnce names methods that are never made again once they may have had their
	// effect. A single call says so by AtMostOnce(ctx).
	AtMostOnce []string
	// Migrated is told of groups that became supergroups, as calls find out. May be nil.
	Migrated func(bot, from, to int64)
	// Transport sends the requests; nil means one of the client's own.
	Transport http.RoundTripper
}

func (c Config) withDefaults() Config {
	if c.BaseURL == "" {
		c.BaseURL = "https://api.telegram.org"
	}
	c.BaseURL = strings.TrimRight(c.BaseURL, "/")
	c.Timeout = orElse(c.Timeout, 15*time.Second)
	c.DialTimeout = orElse(c.DialTimeout, 5*time.Second)
	c.Attempts = orElse(c.Attempts, 3)
	c.Backoff = orElse(c.Backoff, 150*time.Millisecond)
	c.MaxAnswer = orElse(c.MaxAnswer, 64<<20)
	c.MaxUpload = orElse(c.MaxUpload, 64<<20)
	c.Linger = orElse(c.Linger, 2*time.Second)
	c.RecordTime = orElse(c.RecordTime, 5*time.Second)
	return c
}

// Validate names what is wrong.
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

func orElse[T int | int64 | time.Duration](v, other T) T {
	if v == 0 {
		return other
	}
	return v
}
