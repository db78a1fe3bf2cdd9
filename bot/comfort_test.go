package bot_test

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mymmrac/telego"
	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/bottest"
)

func TestAutoAnswerLeavesNoButtonWaiting(t *testing.T) {
	t.Parallel()
	r := bot.New("r")
	r.Inner(bot.AutoAnswer)
	r.Message(bot.Say("?", bot.Inline(bot.Row(
		bot.Button("plain", "plain"), bot.Button("text", "text"), bot.Button("own", "own"),
		bot.Button("slow", "slow"), bot.Button("fail", "fail"),
	))))
	r.Callback(nothing, bot.Pressed("plain"))
	r.Callback(nothing, bot.Pressed("text"), bot.With(bot.Notice{Text: "Saved"}))
	r.Callback(func(ctx context.Context, t *bot.Turn) error { return t.AnswerCallback(ctx, "mine") }, bot.Pressed("own"))
	r.Callback(bot.Say("worked"), bot.Pressed("slow"), bot.With(bot.Notice{Text: "Working...", Alert: true, Before: true}))
	r.Callback(func(context.Context, *bot.Turn) error { return errors.New("boom") }, bot.Pressed("fail"))
	w := bottest.New(t, r)
	ann := w.Person("Ann")
	ann.Say("hi")
	ann.Expect("?")
	for _, c := range [][2]string{{"plain", ""}, {"text", "Saved"}, {"own", "mine"}, {"slow", "Working..."}} {
		ann.Press(c[0])
		ann.ExpectNotice(c[1])
	}
	calls := w.Calls("answerCallbackQuery", "sendMessage")
	if last := calls[len(calls)-1].Method; last != "sendMessage" {
		t.Errorf("last call is %s, want the notice before the handler", last)
	}
	_ = w.Fails(func() { ann.Press("fail") })
	if n := len(w.Calls("answerCallbackQuery")); n != 4 {
		t.Errorf("%d buttons answered, want 4: one that failed is tried again", n)
	}
	w.Stub("answerCallbackQuery", func(json.RawMessage) (any, error) {
		return nil, bottest.Refuse(400, "Bad Request: query is too old")
	})
	ann.Press("plain") // no reason to fail
	ann.Press("slow")
}

func TestShowActionLastsAsLongAsTheHandler(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		work := func(d time.Duration) bot.Handler {
			return func(context.Context, *bot.Turn) error { time.Sleep(d); return nil }
		}
		r := bot.New("r")
		r.Inner(bot.ShowAction)
		r.Message(work(10*time.Second), bot.Command("report"), bot.With(bot.Action("upload_document")))
		r.Message(work(time.Second), bot.Command("think"))
		r.Message(work(time.Millisecond))
		r.On(bot.Poll, nothing)
		w := bottest.New(t, r)
		ann := w.Person("Ann")
		for text, want := range map[string]int{"/report": 3, "/think": 1, "quick": 0} {
			before := len(w.Calls("sendChatAction"))
			ann.Say(text)
			if n := len(w.Calls("sendChatAction")) - before; n != want {
				t.Errorf("%s: %d chat actions, want %d", text, n, want)
			}
		}
		w.Update(telego.Update{Poll: &telego.Poll{ID: "p"}}) // nowhere to show it
		ann.Say("/report")
		if got := lastCall(t, w, "sendChatAction")["action"]; got != "upload_document" {
			t.Errorf("action is %v", got)
		}
	})
}

func TestTranslateSpeaksTheLanguageOfTheTurn(t *testing.T) {
	t.Parallel()
	bundle := i18n.NewBundle(language.English)
	bundle.MustAddMessages(language.English,
		&i18n.Message{ID: "hello", Other: "Hello, {{.Name}}"},
		&i18n.Message{ID: "pizzas", One: "{{.PluralCount}} pizza", Other: "{{.PluralCount}} pizzas"},
		&i18n.Message{ID: "only english", Other: "Only English"})
	bundle.MustAddMessages(language.German,
		&i18n.Message{ID: "hello", Other: "Hallo, {{.Name}}"},
		&i18n.Message{ID: "pizzas", One: "eine Pizza", Other: "{{.PluralCount}} Pizzen"})
	pick := func(_ context.Context, t *bot.Turn) (string, error) {
		switch t.Text() {
		case "auf deutsch":
			return "de", nil
		case "fail":
			return "", errors.New("no database")
		}
		return "", nil
	}
	r := bot.New("r")
	r.Outer(bot.Translate(bundle, pick))
	r.Message(func(ctx context.Context, t *bot.Turn) error {
		return t.Answer(ctx, strings.Join([]string{
			bot.T(t, "hello", map[string]string{"Name": "Ann"}), bot.TN(t, "pizzas", 1), bot.TN(t, "pizzas", 3),
			bot.T(t, "only english", nil), bot.T(t, "missing", nil),
		}, ", "))
	})
	w := bottest.New(t, r)
	ann := w.Person("Ann")
	ann.Say("hi")
	ann.Expect("Hello, Ann, 1 pizza, 3 pizzas, Only English, missing")
	ann.Speaking("de-at").Say("hi")
	ann.Say("auf deutsch")
	ann.Speaking("fr").Say("hi")
	const german = "Hallo, Ann, eine Pizza, 3 Pizzen, Only English, missing"
	ann.Expect(german, german, "Hello, Ann, 1 pizza, 3 pizzas, Only English, missing")
	if err := w.Fails(func() { ann.Say("fail") }); err == nil {
		t.Error("the error of pick was lost")
	}
	if got := bot.T(message("hi"), "hello", nil); got != "hello" {
		t.Errorf("without translation: %q", got)
	}
}

func TestDeepLinks(t *testing.T) {
	t.Parallel()
	for kind, link := range map[string]func(string, string) (string, error){
		"start": bot.StartLink, "startgroup": bot.GroupLink, "startapp": bot.AppLink,
	} {
		got, err := link("test_bot", "ref_1-a")
		if want := "https://t.me/test_bot?" + kind + "=ref_1-a"; got != want || err != nil {
			t.Errorf("link is %q, %v, want %q", got, err, want)
		}
		for _, payload := range []string{"", "a b", "ü", "a.b", strings.Repeat("x", 65)} {
			if _, err := link("test_bot", payload); !errors.Is(err, bot.ErrPayload) {
				t.Errorf("payload %q: %v", payload, err)
			}
		}
	}
	payload, err := bot.EncodePayload("order: ü 17")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := bot.DecodePayload(payload); text != "order: ü 17" || err != nil {
		t.Errorf("payload reads %q, %v", text, err)
	}
	if _, err := bot.EncodePayload(strings.Repeat("x", 49)); !errors.Is(err, bot.ErrPayload) {
		t.Errorf("a long text: %v", err)
	}
	if _, err := bot.DecodePayload("!"); err == nil {
		t.Error("a broken payload was read")
	}
	for text, want := range map[string]bool{"/start " + payload: true, "/start": false, "/start a b": false, "/help x": false} {
		if got := passes(t, bot.StartPayload(), message(text)); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}

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
	got, err := bot.CheckInitData("42:TEST", vector, 0)
	if err != nil || got.User.ID != 42 || got.QueryID != "test" || got.AuthDate.Year() != 2022 {
		t.Errorf("got %+v, %v", got, err)
	}
	fresh := map[string]string{"auth_date": strconv.FormatInt(time.Now().Unix(), 10), "start_param": "ref"}
	if got, err := bot.CheckInitData("42:TEST", sign("42:TEST", nil, fresh), time.Hour); err != nil || got.StartParam != "ref" || got.User != nil {
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
		if _, err := bot.CheckInitData(c.token, c.data, c.age); !errors.Is(err, bot.ErrInitData) {
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
	if got, err := bot.CheckInitDataFor(42, key, data+"&hash=whatever", 0); err != nil || got.User.ID != 42 {
		t.Errorf("got %+v, %v", got, err)
	}
	for name, check := range map[string]func() (bot.InitData, error){
		"another bot":      func() (bot.InitData, error) { return bot.CheckInitDataFor(43, key, data, 0) },
		"Telegram's key":   func() (bot.InitData, error) { return bot.CheckInitDataFor(42, bot.TelegramKey, data, 0) },
		"test key":         func() (bot.InitData, error) { return bot.CheckInitDataFor(42, bot.TelegramTestKey, data, 0) },
		"too old":          func() (bot.InitData, error) { return bot.CheckInitDataFor(42, key, data, time.Hour) },
		"broken signature": func() (bot.InitData, error) { return bot.CheckInitDataFor(42, key, "signature=!", 0) },
		"broken query":     func() (bot.InitData, error) { return bot.CheckInitDataFor(42, key, "%zz", 0) },
	} {
		if _, err := check(); !errors.Is(err, bot.ErrInitData) {
			t.Errorf("%s: got %v, want ErrInitData", name, err)
		}
	}
	if _, err := bot.CheckInitDataFor(42, "abc", data, 0); err == nil || errors.Is(err, bot.ErrInitData) {
		t.Errorf("a broken key: %v", err)
	}
}
