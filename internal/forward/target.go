package forward

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// BotID stands in an address for the bot's id.
const BotID = "{bot_id}"

// Target is where the updates of one bot go.
type Target struct {
	URL    string // may hold a secret in its path, so it is in no log and no error
	Secret string // sent as Telegram sends it; empty: no such header
}

// tokens matches bot tokens within a text.
var tokens = sync.OnceValue(func() *regexp.Regexp { //nolint:gochecknoglobals // a constant
	return regexp.MustCompile(`\d{1,18}:[\w-]{30,}`)
})

const redacted = "[redacted]"

// redact takes secrets out of a text of the bot's (tokens, the secret, the address) and then bounds it, so that no half
// of one is left at its end.
func (t Target) redact(text string) string {
	text = tokens().ReplaceAllLiteralString(strings.ToValidUTF8(text, "?"), redacted)
	secrets := []string{t.Secret, t.URL}
	if u, err := url.Parse(t.URL); err == nil && len(u.Path) > 1 {
		secrets = append(secrets, u.RequestURI(), u.Path)
	}
	for _, secret := range secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, redacted)
		}
	}
	text = strings.Join(strings.Fields(text), " ")
	return strings.ToValidUTF8(text[:min(len(text), maxSaid)], "")
}

// For puts the bot's id into the address.
func (t Target) For(id int64) Target {
	t.URL = strings.ReplaceAll(t.URL, BotID, strconv.FormatInt(id, 10))
	return t
}

// Errors of Validate. None shows the address.
var (
	errNoURL  = errors.New("the value is no address; set one like http://bot:3000/webhook")
	errBraces = errors.New("the address has braces that are not " + BotID + "; set one like http://bot:3000/webhook/" + BotID)
	errExtra  = errors.New("the address has a fragment or a user name, which cannot be sent; set one like http://bot:3000/webhook")
)

// Validate says what is wrong with the address and what would be right.
func (t Target) Validate() error {
	t = t.For(1)
	if strings.ContainsAny(t.URL, "{}") {
		return errBraces
	}
	u, err := url.Parse(t.URL)
	switch {
	case err != nil, u.Hostname() == "", u.Scheme != "http" && u.Scheme != "https":
		return errNoURL
	case u.Fragment != "" || u.User != nil:
		return errExtra
	}
	if _, err := http.NewRequest(http.MethodPost, t.URL, http.NoBody); err != nil { //nolint:noctx // it is not sent
		return errNoURL
	}
	return nil
}
