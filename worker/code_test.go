package worker

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/app"
	"github.com/chatlane/chatlane/internal/config"
)

const (
	tokenA = "111:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	tokenB = "222:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB-_"
)

func TestZeroConfigWithATokenHasTheDefaultsOfTheEnvironment(t *testing.T) {
	inCode := Config{Bots: []Bot{{Token: tokenA}}}.settings()
	if err := inCode.Check(); err != nil {
		t.Errorf("refused: %v", err)
	}
	config.Defaults(&inCode)
	t.Setenv("CHATLANE_BOT_TOKEN", tokenA)
	loaded, err := FromEnvironment()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(public(inCode), loaded, asStructs()); diff != "" {
		t.Errorf("in code and from the environment (-code +environment):\n%s", diff)
	}
	if want := (Limits{Bot: NoLimit, Chat: NoLimit, Burst: 3, Group: NoLimit, BulkBot: 30, BulkChat: 1, BulkGroup: 20}); loaded.Limits != want {
		t.Errorf("limits %+v, want %+v", loaded.Limits, want)
	}
}

func TestNoLimitIsSetInCodeAndInTheEnvironment(t *testing.T) {
	s := Config{Bots: []Bot{{Token: tokenA}}, Limits: Limits{Bot: NoLimit, Group: 7}}.settings()
	config.Defaults(&s)
	if want := (app.Limits{Bot: NoLimit, Chat: NoLimit, Burst: 3, Group: 7, BulkBot: 30, BulkChat: 1, BulkGroup: 20}); s.Limits != want {
		t.Errorf("in code: %+v, want %+v", s.Limits, want)
	}
	t.Setenv("CHATLANE_BOT_TOKEN", tokenA)
	t.Setenv("CHATLANE_LIMIT_BOT", "0")
	t.Setenv("CHATLANE_LIMIT_CHAT", "-1")
	c, err := FromEnvironment()
	if err != nil || c.Limits.Bot != NoLimit || c.Limits.Chat != NoLimit {
		t.Errorf("from the environment: %+v, %v", c.Limits, err)
	}
}

func TestRunRefusesWrongBotsBeforeItOpensAnything(t *testing.T) {
	for _, tt := range []struct {
		name string
		bots []Bot
		want string
	}{
		{"none", nil, "CHATLANE_BOT_TOKEN: no bot is set"},
		{"no token", []Bot{{Token: tokenA}, {Token: "42"}}, "bot 2: token: the value is no bot token"},
		{"no secret", []Bot{{Token: tokenA, Secrets: []string{"a b"}}}, "bot 1: secrets: a value is no webhook secret"},
		{"twice", []Bot{{Token: tokenA}, {Token: tokenA}}, "bot 111 is there twice"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := Run(t.Context(), bot.New("b"), Config{Bots: tt.bots})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
}

// Each public field reaches the assembly, and comes back.
func TestEveryFieldReachesTheAssembly(t *testing.T) {
	full := Config{Bots: []Bot{{Token: tokenA, Secrets: []string{"s"}, Username: "u", ForwardURL: "http://a"}, {Token: tokenB}}}
	fill(reflect.ValueOf(&full).Elem())
	if diff := cmp.Diff(full, public(full.settings()), asStructs()); diff != "" {
		t.Errorf("there and back (-want +got):\n%s", diff)
	}
}

// fill gives each field that is zero a value of its own.
func fill(v reflect.Value) {
	for i := range v.NumField() {
		switch f := v.Field(i); {
		case f.Kind() == reflect.Struct:
			fill(f)
		case f.Kind() == reflect.String:
			f.SetString(v.Type().Name() + v.Type().Field(i).Name)
		case f.CanInt():
			f.SetInt(int64(i) + 1)
		case f.Kind() == reflect.Bool:
			f.SetBool(true)
		case f.Type() == reflect.TypeFor[[]string]():
			f.Set(reflect.ValueOf([]string{"x", "y"}))
		case f.Kind() == reflect.Interface:
			f.Set(reflect.ValueOf(os.Stderr))
		}
	}
}

// asStructs compares configs field by field, rather than by what they print.
func asStructs() cmp.Option {
	return cmp.Comparer(func(a, b *os.File) bool { return a == b })
}

var _, _ = Config.Format, Bot.Format // fmt calls them

func TestConfigPrintsNoSecret(t *testing.T) {
	var out bytes.Buffer
	c := Config{Name: "w", Bots: []Bot{{Token: tokenA, Secrets: []string{"hidden"}, ForwardURL: "http://hidden"}}}
	c.Redis.URL, c.NATS.URL, c.Forward.Secret = "redis://:hidden@h", "nats://u:hidden@h", "hidden"
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} { // Config.Format, Bot.Format
		fmt.Fprintf(&out, verb+" "+verb+"\n", c, c.Bots)
	}
	for _, marshal := range []func() ([]byte, error){c.MarshalJSON, c.Bots[0].MarshalJSON} {
		text, err := marshal()
		if err != nil {
			t.Fatal(err)
		}
		out.Write(text)
	}
	for _, v := range []any{c, c.Bots} {
		slog.New(slog.NewJSONHandler(&out, nil)).InfoContext(t.Context(), "config", slog.Any("value", v))
		slog.New(slog.NewTextHandler(&out, nil)).InfoContext(t.Context(), "config", slog.Any("value", v))
	}
	for _, bot := range c.Bots {
		out.WriteString(bot.LogValue().String())
	}
	for _, secret := range []string{"AAAAA", "hidden", fmt.Sprintf("%x", "hidden")} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%q shows in:\n%s", secret, &out)
		}
	}
	if !strings.Contains(out.String(), `worker "w" of [bot 111]`) {
		t.Errorf("printed:\n%s", &out)
	}
}

// A worker that is a part of a larger program: everything is set in code, and the
// program's own context ends it.
func ExampleRun() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	router := bot.New("echo")
	router.Message(func(ctx context.Context, t *bot.Turn) error { return t.Answer(ctx, t.Text()) })
	err := Run(ctx, router, Config{
		Bots:  []Bot{{Token: os.Getenv("ECHO_TOKEN")}},
		State: State{Store: "nats"},
		Turns: Turns{Concurrency: 64},
	})
	fmt.Println(err)
	// Output: bot 1: token: the value is no bot token; set it like 123456789:<35 letters, digits, _ or ->
}

// Several bots share a worker, and one of them may send without a limit.
func ExampleConfig() {
	cfg := Config{
		Bots:   []Bot{{Token: "111:" + strings.Repeat("A", 35)}, {Token: "222:" + strings.Repeat("B", 35), Username: "second_bot"}},
		Limits: Limits{Group: NoLimit},
	}
	fmt.Println(cfg, cfg.Validate())
	// Output: worker "" of [bot 111 bot 222] <nil>
}

// Validate names each wrong setting by its variable, as --help lists it.
func ExampleConfig_Validate() {
	cfg := Config{Bots: []Bot{{Token: "111:" + strings.Repeat("A", 35)}}}
	cfg.State.LockTTL = time.Millisecond
	cfg.Turns.Deadline = time.Hour
	fmt.Println(cfg.Validate())
	// Output:
	// CHATLANE_LOCK_TTL: set a duration from 500ms to 1m, such as 2s
	// CHATLANE_HANDLER_DEADLINE: set a duration up to 30m, such as 30s
}

// A program may take the settings from the environment and change some in code.
func ExampleFromEnvironment() {
	_ = os.Setenv("CHATLANE_BOT_TOKEN", "111:"+strings.Repeat("A", 35))
	_ = os.Setenv("CHATLANE_GRACE", "10s")
	defer func() {
		_ = os.Unsetenv("CHATLANE_BOT_TOKEN")
		_ = os.Unsetenv("CHATLANE_GRACE")
	}()
	cfg, err := FromEnvironment()
	cfg.Turns.Concurrency = 8
	fmt.Println(cfg.Bots, cfg.Grace, err)
	// Output: [bot 111] 10s <nil>
}
