package rules

import (
	"unicode"
	"unicode/utf8"
)

// Lengths of a command's parts, in bytes.
const (
	MaxCommandName = 64
	minMention     = 3
	maxMention     = 32
)

// IsWord reports a letter, a digit or '_'.
func IsWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r) }

// IsCommandName reports whether Telegram marks "/" and this name as a command.
func IsCommandName(name string) bool {
	return name != "" && len(name) <= MaxCommandName && asciiWord(name) == len(name)
}

// SplitCommand reads "name@mention", which stands behind the slash. end is where Telegram's entity ends; 0
// means no command, such as before a word, '/', '<' or '>'. Names with letters other than a to z are read
// too, though Telegram does not mark them.
func SplitCommand(text string) (name, mention string, end int) {
	for end < len(text) {
		r, size := utf8.DecodeRuneInString(text[end:])
		if !IsWord(r) {
			break
		}
		end += size
	}
	name = text[:end]
	if name == "" || len(name) > MaxCommandName {
		return "", "", 0
	}
	if end < len(text) && text[end] == '@' {
		n := asciiWord(text[end+1:])
		if n < minMention || n > maxMention {
			return "", "", 0
		}
		mention, end = text[end+1:end+1+n], end+1+n
	}
	if next, _ := utf8.DecodeRuneInString(text[end:]); end < len(text) && joinsCommand(next) {
		return "", "", 0
	}
	return name, mention, end
}

// Commands calls yield with the byte range of each command.
func Commands(text string, yield func(start, end int)) {
	before := ' '
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		if r == '/' && !joinsCommand(before) {
			if name, _, n := SplitCommand(text[i+1:]); n > 0 && IsCommandName(name) {
				yield(i, i+1+n)
				before, i = 'x', i+1+n
				continue
			}
		}
		before, i = r, i+size
	}
}

func joinsCommand(r rune) bool { return r == '/' || r == '<' || r == '>' || IsWord(r) }

func asciiWord(text string) int {
	for i := range len(text) {
		c := text[i]
		if c != '_' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return i
		}
	}
	return len(text)
}
