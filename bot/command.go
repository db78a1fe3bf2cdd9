package bot

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/chatlane/chatlane/internal/telegram/rules"
)

// CommandLine is a command as the user typed it: /name@mention args.
type CommandLine struct {
	Prefix  string
	Name    string
	Mention string // of a bot, without @
	Args    string // all behind the name, without the spaces around it
}

// Fields splits the arguments at white space.
func (c CommandLine) Fields() []string { return strings.Fields(c.Args) }

// Command is the command that the message starts with, with any sign as its prefix; empty without one.
func (t *Turn) Command() CommandLine {
	if t.command == nil {
		c := parseCommand(t.Text())
		t.command = &c
	}
	return *t.command
}

func parseCommand(text string) CommandLine {
	first, size := utf8.DecodeRuneInString(text)
	if size == 0 || rules.IsWord(first) || unicode.IsSpace(first) {
		return CommandLine{}
	}
	name, mention, end := rules.SplitCommand(text[size:])
	if end == 0 {
		return CommandLine{}
	}
	return CommandLine{Prefix: text[:size], Name: name, Mention: mention, Args: strings.TrimSpace(text[size+end:])}
}

// Command passes messages that start with one of these commands, given without slash; without any, every command
// that Telegram marks as one. A command ends at the first character that is no letter, digit or '_'; one that
// mentions another bot does not pass. [Turn.Command] has the arguments. It panics on a name that cannot be typed.
func Command(names ...string) Filter { return Commands{Names: names}.Filter() }

// Commands is [Command] with options. The zero value is any command with a slash.
type Commands struct {
	Names      []string // without prefix; none means any
	Prefixes   string   // signs that may stand before the name; empty means "/"
	IgnoreCase bool
	OtherBots  bool // also when the command mentions another bot
}

// Filter makes the filter. It panics on a name that cannot be typed.
func (c Commands) Filter() Filter {
	if c.Prefixes == "" {
		c.Prefixes = "/"
	}
	label := "command"
	for i, name := range c.Names {
		if read, _, end := rules.SplitCommand(name); read != name || end == 0 {
			panic(fmt.Sprintf("bot: command %q: want a word without slash", name))
		}
		if i == 0 {
			_, size := utf8.DecodeRuneInString(c.Prefixes)
			label = c.Prefixes[:size] + name
		}
	}
	return when(label, c.match)
}

func (c Commands) match(t *Turn) bool {
	if t.Message() == nil {
		return false
	}
	call := t.Command()
	if call.Name == "" || !strings.Contains(c.Prefixes, call.Prefix) {
		return false
	}
	if call.Mention != "" && !c.OtherBots && !strings.EqualFold(call.Mention, t.p.Bot.Username) {
		return false
	}
	if len(c.Names) == 0 {
		return call.Prefix != "/" || rules.IsCommandName(call.Name)
	}
	if c.IgnoreCase {
		return slices.ContainsFunc(c.Names, func(n string) bool { return strings.EqualFold(n, call.Name) })
	}
	return slices.Contains(c.Names, call.Name)
}

// ErrPayload means that a deep link's payload is not 1 to 64 letters, digits, '_' and '-'.
var ErrPayload = errors.New("want 1 to 64 letters, digits, '_' and '-'")

// StartLink is a link that opens the bot's private chat and sends /start with a payload; [StartPayload] is
// the filter for it.
func StartLink(username, payload string) (string, error) {
	return deepLink(username, "start", payload)
}

// GroupLink is a link that adds the bot to a group and sends /start with a payload.
func GroupLink(username, payload string) (string, error) {
	return deepLink(username, "startgroup", payload)
}

// AppLink is a link that opens the bot's main web app with a start parameter.
func AppLink(username, payload string) (string, error) {
	return deepLink(username, "startapp", payload)
}

func deepLink(username, kind, payload string) (string, error) {
	if !isPayload(payload) {
		return "", fmt.Errorf("link with payload %q: %w", payload, ErrPayload)
	}
	return "https://t.me/" + url.PathEscape(username) + "?" + kind + "=" + payload, nil
}

func isPayload(s string) bool {
	if s == "" || len(s) > rules.MaxPayload {
		return false
	}
	for _, r := range s {
		if r != '-' && (!rules.IsWord(r) || r >= utf8.RuneSelf) {
			return false
		}
	}
	return true
}

// EncodePayload makes a payload of any text of up to 48 bytes; a longer one fails with ErrPayload.
func EncodePayload(text string) (string, error) {
	payload := base64.RawURLEncoding.EncodeToString([]byte(text))
	if !isPayload(payload) {
		return "", fmt.Errorf("payload of %d bytes: %w", len(text), ErrPayload)
	}
	return payload, nil
}

// DecodePayload reads what EncodePayload made.
func DecodePayload(payload string) (string, error) {
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return "", fmt.Errorf("decode payload: %w", err)
	}
	return string(text), nil
}

// StartPayload passes /start commands that carry a deep link's payload: the Args of [Turn.Command].
func StartPayload() Filter {
	payload := when("", func(t *Turn) bool { return isPayload(t.Command().Args) })
	return And(Command("start"), payload).Named("/start payload")
}
