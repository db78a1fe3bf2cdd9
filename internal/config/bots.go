package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Bot is one bot, with the secrets that its webhook requests must carry.
type Bot struct {
	Token    Secret
	Secrets  []Secret // accepted in the webhook's secret header; the first is the one to set
	Username string   // without @; empty where unknown
	Forward  Secret   // address of the bot's own webhook, which may hold a secret; empty: none
}

// ID is the number before the colon of the token; 0 if there is none.
func (b Bot) ID() int64 {
	digits, _, _ := strings.Cut(string(b.Token), ":")
	id, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0
	}
	return id
}

// Bots are the settings that say which bots there are. Loading fills All.
type Bots struct {
	Token   Secret   `env:"CHATLANE_BOT_TOKEN" help:"Token of the bot, as BotFather gave it."`
	Secrets []Secret `env:"CHATLANE_WEBHOOK_SECRET" help:"Secret token of the bot's webhook: 1 to 256 letters, digits, _ or -. Several, separated by commas, are all accepted; the first is the one that is set."`
	File    string   `env:"CHATLANE_BOTS_FILE" help:"YAML list of several bots, each with token, token_env or token_file; secrets, secrets_env or secret_files; and perhaps username, and forward_url or forward_url_env."`

	All []Bot `kong:"-"`

	resolved bool // Resolve has checked All, under the names of the settings
}

// Resolve fills All from the settings and the file, and checks every bot.
func (b *Bots) Resolve(getenv func(string) string) error {
	b.All, b.resolved = nil, true
	var problems []error
	if b.Token != "" {
		bot := Bot{Token: b.Token, Secrets: b.Secrets}
		problems = append(problems, bot.Check("CHATLANE_BOT_TOKEN", "CHATLANE_WEBHOOK_SECRET"))
		b.All = append(b.All, bot)
	}
	if b.File != "" {
		bots, err := readBots(b.File, getenv)
		problems = append(problems, err)
		b.All = append(b.All, bots...)
	}
	return errors.Join(append(problems, b.twice())...)
}

// Check names what is wrong with All: no bot, a bad token or secret, or a bot that is there twice.
func (b *Bots) Check() error {
	if len(b.All) == 0 {
		return errors.New("CHATLANE_BOT_TOKEN: no bot is set; set its token, or list several in CHATLANE_BOTS_FILE")
	}
	if b.resolved {
		return nil
	}
	var problems []error
	for i, bot := range b.All {
		problems = append(problems, bot.Check(fmt.Sprintf("bot %d: token", i+1), fmt.Sprintf("bot %d: secrets", i+1)))
	}
	return errors.Join(append(problems, b.twice())...)
}

func (b *Bots) twice() error {
	var problems []error
	seen := map[int64]bool{}
	for _, bot := range b.All {
		id := bot.ID()
		if seen[id] && id != 0 {
			problems = append(problems, fmt.Errorf("CHATLANE_BOTS_FILE: bot %d is there twice; keep one", id))
		}
		seen[id] = true
	}
	return errors.Join(problems...)
}

// Check says what is wrong with token and secrets, under the given names and without showing the values.
func (b Bot) Check(token, secret string) error {
	var problems []error
	if !regexp.MustCompile(`^\d+:[\w-]{35}$`).MatchString(string(b.Token)) || b.ID() == 0 {
		problems = append(problems, fmt.Errorf(
			"%s: the value is no bot token; set it like 123456789:<35 letters, digits, _ or ->", token))
	}
	right := regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`)
	for _, s := range b.Secrets {
		if !right.MatchString(string(s)) {
			problems = append(problems, fmt.Errorf(
				"%s: a value is no webhook secret; set 1 to 256 letters, digits, _ or -", secret))
			break
		}
	}
	return errors.Join(problems...)
}

func readBots(path string, getenv func(string) string) ([]Bot, error) {
	wrap := func(err error) error { return fmt.Errorf("CHATLANE_BOTS_FILE: %w", err) }
	text, err := readFile(path)
	if err != nil {
		return nil, wrap(err)
	}
	root, err := parseYAML(text)
	if err != nil {
		return nil, wrap(err)
	}
	if root == nil || root.Kind != yaml.SequenceNode || len(root.Content) == 0 {
		return nil, wrap(fmt.Errorf("%s holds no list of bots; write one like \"- {token_env: A, secrets_env: B}\"",
			filepath.Base(path)))
	}
	var bots []Bot
	var problems []error
	for _, node := range root.Content {
		at := fmt.Sprintf("%s:%d", filepath.Base(path), node.Line)
		r := botReader{getenv: getenv, folder: filepath.Dir(path)}
		bot, err := r.read(node)
		if err == nil {
			err = bot.Check(at+": token", at+": secrets")
		} else {
			err = fmt.Errorf("%s: %w", at, err)
		}
		for _, line := range Lines(err) {
			problems = append(problems, wrap(errors.New(line)))
		}
		bots = append(bots, bot)
	}
	return bots, errors.Join(problems...)
}

// botReader reads one entry. Relative paths start at the list's folder.
type botReader struct {
	getenv func(string) string
	folder string
}

func (r botReader) read(node *yaml.Node) (Bot, error) {
	if node.Kind != yaml.MappingNode {
		return Bot{}, errors.New("found no mapping; write {token_env: A, secrets_env: B}")
	}
	var bot Bot
	set := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i].Value
		items, err := scalars(node.Content[i+1])
		if err == nil {
			err = r.take(&bot, key, items)
		}
		if err != nil {
			return Bot{}, fmt.Errorf("%s: %w", key, err)
		}
		kind, _, _ := strings.Cut(key, "_")
		if kind = strings.TrimSuffix(kind, "s"); set[kind] {
			return Bot{}, fmt.Errorf("%s: the %s is given twice; give it once", key, kind)
		}
		set[kind] = true
	}
	if bot.Token == "" {
		return Bot{}, errors.New("found no token; give token_env, token_file or token")
	}
	return bot, nil
}

func (r botReader) take(bot *Bot, key string, items []string) error {
	if len(items) == 0 {
		return errors.New("is empty; give a value")
	}
	switch key {
	case "username":
		bot.Username = strings.TrimPrefix(items[0], "@")
		return nil
	case "token":
		bot.Token = Secret(items[0])
		return nil
	case "forward_url":
		bot.Forward = Secret(items[0])
		return nil
	case "token_env", "secrets_env", "forward_url_env":
		for i, name := range items {
			if items[i] = r.getenv(name); items[i] == "" {
				return fmt.Errorf("the variable %s is not set; set it", name)
			}
		}
	case "token_file", "secret_files":
		for i, path := range items {
			if !filepath.IsAbs(path) {
				path = filepath.Join(r.folder, path)
			}
			text, err := readSecret(path)
			if err != nil {
				return err
			}
			items[i] = text
		}
	case "secrets":
	default:
		return errors.New("no such key; give token, token_env, token_file, secrets, secrets_env, secret_files, username, forward_url or forward_url_env")
	}
	switch first := Secret(strings.TrimSpace(items[0])); {
	case strings.HasPrefix(key, "token"):
		bot.Token = first
		return nil
	case strings.HasPrefix(key, "forward"):
		bot.Forward = first
		return nil
	}
	for s := range strings.SplitSeq(strings.Join(items, ","), ",") {
		bot.Secrets = append(bot.Secrets, Secret(strings.TrimSpace(s)))
	}
	return nil
}
