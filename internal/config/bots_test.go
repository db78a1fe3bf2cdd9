package config_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chatlane/chatlane/internal/config"
)

const (
	tokenA = "111:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	tokenB = "222:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB-_"
	tokenC = "333:CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC"
)

func TestOneBotComesFromTwoVariables(t *testing.T) {
	s, err := load(t, nil, []string{"CHATLANE_BOT_TOKEN=" + tokenA, "CHATLANE_WEBHOOK_SECRET=new,old"})
	if err != nil {
		t.Fatal(err)
	}
	want := []config.Bot{{Token: tokenA, Secrets: []config.Secret{"new", "old"}}}
	if diff := cmp.Diff(want, s.Bots.All); diff != "" || s.Bots.All[0].ID() != 111 {
		t.Errorf("bots (-want +got):\n%s", diff)
	}
}

func TestManyBotsComeFromAFile(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{
		"token": tokenB + "\n", "one": "s1\n", "two": "s2\n",
		"bots.yaml": `
- {token: ` + tokenA + `, secrets: [a, b], username: "@first", forward_url: "http://a:3000/hook"}
- token_file: token
  secret_files: [one, ` + folder + `/two]
- {token_env: CHATLANE_TOKEN_C, secrets_env: C_SECRETS, forward_url_env: C_FORWARD}
`,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := load(t, []string{"--bots-file", filepath.Join(folder, "bots.yaml")},
		[]string{"CHATLANE_TOKEN_C=" + tokenC, "C_SECRETS=x,y", "C_FORWARD=http://c/secret"})
	if err != nil {
		t.Fatal(err)
	}
	want := []config.Bot{
		{Token: tokenA, Secrets: []config.Secret{"a", "b"}, Username: "first", Forward: "http://a:3000/hook"},
		{Token: tokenB, Secrets: []config.Secret{"s1", "s2"}},
		{Token: tokenC, Secrets: []config.Secret{"x", "y"}, Forward: "http://c/secret"},
	}
	if diff := cmp.Diff(want, s.Bots.All); diff != "" {
		t.Errorf("bots (-want +got):\n%s", diff)
	}
}

func TestWrongBotsAreAllReported(t *testing.T) {
	path := file(t, "bots.yaml", `
- {token: short, secrets: ["with space"]}
- {token_env: NOT_SET}
- {secrets: [a]}
- {token: `+tokenA+`, token_file: /none/x}
- {token: `+tokenA+`, secret: a}
- text
- {token: `+tokenA+`}
`)
	_, err := load(t, nil, []string{"CHATLANE_BOTS_FILE=" + path, "CHATLANE_BOT_TOKEN=" + tokenA, "CHATLANE_WEBHOOK_SECRET=a b"})
	wantProblems(t, err,
		`CHATLANE_WEBHOOK_SECRET: a value is no webhook secret; set 1 to 256 letters, digits, _ or -`,
		`CHATLANE_BOTS_FILE: bots.yaml:2: token: the value is no bot token; set it like 123456789:<35 letters, digits, _ or ->`,
		`CHATLANE_BOTS_FILE: bots.yaml:2: secrets: a value is no webhook secret; set 1 to 256 letters, digits, _ or -`,
		`CHATLANE_BOTS_FILE: bots.yaml:3: token_env: the variable NOT_SET is not set; set it`,
		`CHATLANE_BOTS_FILE: bots.yaml:4: found no token; give token_env, token_file or token`,
		`CHATLANE_BOTS_FILE: bots.yaml:5: token_file: /none/x: no such file or directory`,
		`CHATLANE_BOTS_FILE: bots.yaml:6: secret: no such key; give token, token_env, token_file, secrets, secrets_env, secret_files, username, forward_url or forward_url_env`,
		`CHATLANE_BOTS_FILE: bots.yaml:7: found no mapping; write {token_env: A, secrets_env: B}`,
		`CHATLANE_BOTS_FILE: bot 111 is there twice; keep one`,
	)
}

func TestSecretsShowNowhere(t *testing.T) {
	s, err := load(t, nil, []string{"CHATLANE_BOT_TOKEN=" + tokenA, "CHATLANE_WEBHOOK_SECRET=hush"})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	bot := s.Bots.All[0]
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+"\n", s)
		fmt.Fprintf(&out, verb+"\n", bot.Token)
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(text)
	slog.New(slog.NewJSONHandler(&out, nil)).InfoContext(t.Context(), "bots", slog.Any("all", s.Bots), slog.Any("token", bot.Token))
	_, err = load(t, nil, []string{"CHATLANE_BOT_TOKEN=" + tokenA + "x", "CHATLANE_WEBHOOK_SECRET=hush!"})
	fmt.Fprintln(&out, err)
	for _, hidden := range []string{"AAAAAAA", "hush", fmt.Sprintf("%x", "hush")} {
		if strings.Contains(out.String(), hidden) {
			t.Errorf("%q shows in:\n%s", hidden, out.String())
		}
	}
	if bot.Token.Reveal() != tokenA {
		t.Errorf("the token reveals %q", bot.Token.Reveal())
	}
}

// Who sets the secret itself where a file is wanted does not see it in a log.
func TestSecretInThePlaceOfItsFileIsNotShown(t *testing.T) {
	_, err := load(t, nil, []string{"CHATLANE_BOT_TOKEN_FILE=" + tokenA, "CHATLANE_WEBHOOK_SECRET_FILE=hush"})
	if err == nil || strings.Contains(err.Error(), "AAAAAA") || strings.Contains(err.Error(), "hush") || !strings.Contains(err.Error(), "CHATLANE_BOT_TOKEN: its file") {
		t.Errorf("%v, want a refusal that shows no secret", err)
	}
	_, err = load(t, []string{"--bot-tokn", tokenA}, nil)
	if err == nil || strings.Contains(err.Error(), "AAAAAA") {
		t.Errorf("%v, want a refusal that shows no secret", err)
	}
}
