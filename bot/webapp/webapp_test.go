package webapp_test

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chatlane/chatlane/bot/webapp"
)

// sign makes init data as Telegram does, of a token or a private key.
func sign(token string, key ed25519.PrivateKey, fields map[string]string) string {
	values := url.Values{}
	var lines []string
	for k, v := range fields {
		values.Set(k, v)
		lines = append(lines, k+"="+v)
	}
	slices.Sort(lines)
	text := strings.Join(lines, "\n")
	if key != nil {
		values.Set("signature", base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte("42:WebAppData\n"+text))))
		return values.Encode()
	}
	secret := hmac.New(sha256.New, []byte("WebAppData"))
	secret.Write([]byte(token))
	sum := hmac.New(sha256.New, secret.Sum(nil))
	sum.Write([]byte(text))
	values.Set("hash", hex.EncodeToString(sum.Sum(nil)))
	return values.Encode()
}

func TestInitDataIsChecked(t *testing.T) {
	t.Parallel()
	// The vector is that of aiogram's own test.
	const vector = "auth_date=1650385342&user=%7B%22id%22%3A42%2C%22first_name%22%3A%22Test%22%7D&query_id=test" +
		"&hash=46d2ea5e32911ec8d30999b56247654460c0d20949b6277af519e76271182803"
	got, err := webapp.Check("42:TEST", vector, 0)
	if err != nil || got.User.ID != 42 || got.QueryID != "test" || got.AuthDate.Year() != 2022 {
		t.Errorf("got %+v, %v", got, err)
	}
	fresh := map[string]string{"auth_date": strconv.FormatInt(time.Now().Unix(), 10), "start_param": "ref"}
	if got, err := webapp.Check("42:TEST", sign("42:TEST", nil, fresh), time.Hour); err != nil || got.StartParam != "ref" || got.User != nil {
		t.Errorf("fresh data: %+v, %v", got, err)
	}
	for name, c := range map[string]struct {
		token, data string
		age         time.Duration
	}{
		"another token": {"42:OTHER", vector, 0},
		"too old":       {"42:TEST", vector, time.Hour},
		"changed":       {"42:TEST", strings.Replace(vector, "Test", "Tess", 1), 0},
		"no hash":       {"42:TEST", "auth_date=1", 0},
		"broken hash":   {"42:TEST", "auth_date=1&hash=zz", 0},
		"broken query":  {"42:TEST", "%zz", 0},
		"empty":         {"42:TEST", "", 0},
		"no date":       {"42:TEST", sign("42:TEST", nil, map[string]string{"query_id": "x"}), 0},
		"broken user":   {"42:TEST", sign("42:TEST", nil, map[string]string{"auth_date": "1", "user": "{"}), 0},
	} {
		if _, err := webapp.Check(c.token, c.data, c.age); !errors.Is(err, webapp.ErrInitData) {
			t.Errorf("%s: got %v, want ErrInitData", name, err)
		}
	}
}

func TestInitDataIsCheckedForThirdParties(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key := hex.EncodeToString(public)
	data := sign("", private, map[string]string{"auth_date": "1650385342", "user": `{"id":42,"first_name":"Test"}`})
	if got, err := webapp.CheckFor(42, key, data+"&hash=whatever", 0); err != nil || got.User.ID != 42 {
		t.Errorf("got %+v, %v", got, err)
	}
	for name, check := range map[string]func() (webapp.InitData, error){
		"another bot":      func() (webapp.InitData, error) { return webapp.CheckFor(43, key, data, 0) },
		"Telegram's key":   func() (webapp.InitData, error) { return webapp.CheckFor(42, webapp.TelegramKey, data, 0) },
		"test key":         func() (webapp.InitData, error) { return webapp.CheckFor(42, webapp.TelegramTestKey, data, 0) },
		"too old":          func() (webapp.InitData, error) { return webapp.CheckFor(42, key, data, time.Hour) },
		"broken signature": func() (webapp.InitData, error) { return webapp.CheckFor(42, key, "signature=!", 0) },
		"broken query":     func() (webapp.InitData, error) { return webapp.CheckFor(42, key, "%zz", 0) },
	} {
		if _, err := check(); !errors.Is(err, webapp.ErrInitData) {
			t.Errorf("%s: got %v, want ErrInitData", name, err)
		}
	}
	if _, err := webapp.CheckFor(42, "abc", data, 0); err == nil || errors.Is(err, webapp.ErrInitData) {
		t.Errorf("a broken key: %v", err)
	}
}
