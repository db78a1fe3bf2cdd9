// Package webapp checks the init data that a Telegram web app (mini app) sends to its backend, so that the
// backend knows which user it serves.
package webapp

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mymmrac/telego"
)

// ErrInitData means that init data is forged, damaged or too old.
var ErrInitData = errors.New("init data is not valid")

// The keys that Telegram signs init data with for third parties, in hex.
const (
	TelegramKey     = "e7bf03a2fa4602af4580703d88dda5bb59f32ed8b02a56c187fe7d34caed242d"
	TelegramTestKey = "40055058a4ee38156a06562e52eece92a771bcd8346a8c4615cb7376eddf72ec"
)

// InitData is what a web app is started with.
type InitData struct {
	User       *telego.User // nil if there is none
	QueryID    string
	StartParam string
	AuthDate   time.Time
	Values     url.Values // all of it
}

// Check checks the init data of a web app of the bot with its token, and reads it. With maxAge above 0 it
// must not be older. Everything that fails is ErrInitData.
func Check(token, initData string, maxAge time.Duration) (InitData, error) {
	values, err := url.ParseQuery(initData)
	if err != nil {
		return InitData{}, ErrInitData // the reason would quote what a stranger sent
	}
	given, err := hex.DecodeString(values.Get("hash"))
	if err != nil {
		return InitData{}, ErrInitData
	}
	secret := hmac.New(sha256.New, []byte("WebAppData"))
	secret.Write([]byte(token))
	sum := hmac.New(sha256.New, secret.Sum(nil))
	sum.Write([]byte(checkString(values, "hash")))
	if !hmac.Equal(given, sum.Sum(nil)) {
		return InitData{}, ErrInitData
	}
	return readInitData(values, maxAge)
}

// CheckFor checks init data of another's bot by Telegram's signature: key is [TelegramKey], or
// [TelegramTestKey] in the test environment. What fails is ErrInitData, but for a malformed key.
func CheckFor(botID int64, key, initData string, maxAge time.Duration) (InitData, error) {
	public, err := hex.DecodeString(key)
	if err != nil || len(public) != ed25519.PublicKeySize {
		return InitData{}, fmt.Errorf("check init data: key of %d hex digits: want %d", len(key), 2*ed25519.PublicKeySize)
	}
	values, err := url.ParseQuery(initData)
	if err != nil {
		return InitData{}, ErrInitData
	}
	signature, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(values.Get("signature"), "="))
	if err != nil {
		return InitData{}, ErrInitData
	}
	message := strconv.FormatInt(botID, 10) + ":WebAppData\n" + checkString(values, "hash", "signature")
	if !ed25519.Verify(public, []byte(message), signature) {
		return InitData{}, ErrInitData
	}
	return readInitData(values, maxAge)
}

// checkString is what Telegram signs: all fields but some, sorted, a line each.
func checkString(values url.Values, but ...string) string {
	lines := make([]string, 0, len(values))
	for k, v := range values {
		if !slices.Contains(but, k) {
			lines = append(lines, k+"="+v[0])
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func readInitData(values url.Values, maxAge time.Duration) (InitData, error) {
	d := InitData{QueryID: values.Get("query_id"), StartParam: values.Get("start_param"), Values: values}
	seconds, err := strconv.ParseInt(values.Get("auth_date"), 10, 64)
	if err != nil {
		return InitData{}, ErrInitData
	}
	d.AuthDate = time.Unix(seconds, 0).UTC()
	if maxAge > 0 && time.Since(d.AuthDate) > maxAge {
		return InitData{}, fmt.Errorf("older than %v: %w", maxAge, ErrInitData)
	}
	if user := values.Get("user"); user != "" {
		if err := json.Unmarshal([]byte(user), &d.User); err != nil {
			return InitData{}, ErrInitData
		}
	}
	return d, nil
}
