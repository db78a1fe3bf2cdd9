package bot

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// CommandLine is a command as somebody typed it: /name@mention args.
type CommandLine struct {
	Prefix  string
	Name    string
	Mention string // of a bot, without @
	Args    string // all behind the name, without the spaces around it
}

// Fields splits the arguments at white space.
func (c CommandLine) Fields() []string { return strings.Fields(c.Args) }

// Command gives the command that the message starts with. Without one, all of it
// is empty.
func (t *Turn) Command() CommandLine {
	if t.command == nil {
		c := parseCommand(t.Text())
		t.command = &c
	}
	return *t.command
}

// parseCommand reads any sign as a prefix; the filter decides which ones count.
func parseCommand(text string) CommandLine {
	first, size := utf8.DecodeRuneInString(text)
	if size == 0 || isWord(first) || first == ' ' || first == '\n' {
		return CommandLine{}
	}
	head, args, _ := strings.Cut(text, " ")
	if i := strings.IndexAny(head, "\n\t"); i >= 0 {
		head, args = text[:i], text[i+1:]
	}
	name, mention, _ := strings.Cut(head[size:], "@")
	if name == "" {
		return CommandLine{}
	}
	return CommandLine{Prefix: head[:size], Name: name, Mention: mention, Args: strings.TrimSpace(args)}
}

func isWord(r rune) bool {
	return r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r >= 0x80
}

// Command passes messages that start with one of these commands, written without
// slash; without any, every command. One that mentions another bot does not pass.
// [Turn.Command] has the arguments.
func Command(names ...string) Filter { return Commands{Names: names}.Filter() }

// Commands is [Command] with all choices.
type Commands struct {
	Names      []string // without prefix; none means any
	Prefixes   string   // signs that may stand before the name; empty means "/"
	IgnoreCase bool
	OtherBots  bool // also when the command mentions another bot
}

// Filter makes the filter. It panics on a name that nobody could type.
func (c Commands) Filter() Filter {
	if c.Prefixes == "" {
		c.Prefixes = "/"
	}
	label := "command"
	for i, name := range c.Names {
		if name == "" || strings.ContainsAny(name, " @\n\t") || strings.HasPrefix(name, "/") {
			panic(fmt.Sprintf("bot: command %q: want a word without slash", name))
		}
		if i == 0 {
			label = c.Prefixes[:1] + name
		}
	}
	return when(label, c.match)
}

func (c Commands) match(t *Turn) bool {
	if t.message == nil {
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
		return true
	}
	if c.IgnoreCase {
		return slices.ContainsFunc(c.Names, func(n string) bool { return strings.EqualFold(n, call.Name) })
	}
	return slices.Contains(c.Names, call.Name)
}
