// Package config fills Config structs from a YAML file, flags and the environment.
//
// It knows none of the structs: tags say everything. What it keeps true: the
// environment wins over flags and flags over the file; whatever is wrong is
// reported in one go, a line each, naming the variable and a right value; and no
// line carries the value of a secret.
//
//	type Config struct {
//		Listen string        `env:"CHATLANE_LISTEN" default:":8080" help:"address to listen on"`
//		Grace  time.Duration `env:"CHATLANE_GRACE" default:"25s" help:"time to finish in"`
//		Max    int64         `env:"CHATLANE_MAX" default:"1MiB" unit:"bytes" help:"largest body"`
//		URL    string        `env:"CHATLANE_URL" secret:"true" help:"where; may hold a password"`
//	}
//
// A tag min:"1" refuses less in a whole number. A tag flag:"since" gives a setting of a command line tool a short flag beside the
// long one of its name.
//
// Fields may be string, bool, int, float, time.Duration, []string, [Secret],
// []Secret, anything that implements encoding.TextUnmarshaler, and structs of
// such fields. A setting with unit "bytes" takes 512, 64KiB or 1GB. A secret may
// also be named by file: CHATLANE_URL_FILE.
package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Prefix is what every name of ours begins with.
const Prefix = "CHATLANE_"

// fileName is the variable that names the YAML file.
const fileName = Prefix + "CONFIG"

// Command describes a program for its help text and its loading.
type Command struct {
	Name  string // the program, as typed
	About string // what it does: a sentence or two
	Notes string // what else to say below the list of settings
	Args  string // what follows the flags, such as "<id>..."; empty: no arguments are taken
}

// Result is what Load found besides the values.
type Result struct {
	Print    string   // help or version was asked for: print this and stop
	Args     []string // what followed the flags
	Warnings []string // names that are not known here, a line each
}

// NoLimit is what a setting with unit "limit" is where 0 is set: the zero value of its
// field stands for the default.
const NoLimit = -1

// Defaults gives each field of the struct that into points to the default of its tag,
// where it is zero.
func Defaults(into any) { collect([]any{into}) }

// resolver is a struct that derives values from those that were loaded: from
// files and variables that it names. It may be called more than once.
type resolver interface {
	Resolve(getenv func(name string) string) error
}

type validator interface {
	Validate() error
}

// Load fills the structs that into points to. Where nothing sets a field, a value
// that it already has stays, else the default of its tag holds. Then each struct's
// Resolve(getenv) error runs, inner ones first, then each one's Validate() error.
// The error is an [Error] with all problems. Unsuitable structs panic.
func (c Command) Load(args, environ []string, into ...any) (Result, error) {
	l := loader{settings: collect(into)}
	flags := l.readArgs(args, c.Args != "")
	switch {
	case flags.help:
		return Result{Print: c.help(l.settings)}, nil
	case flags.version:
		return Result{Print: c.version()}, nil
	}
	l.env = readEnviron(environ)
	l.sources = []source{l.env.source(l.settings), flags.source, {}}
	l.sources[2] = l.readFile()
	l.fill()
	l.resolve(into)
	l.validate(into)
	l.unknown()
	return Result{Args: flags.rest, Warnings: l.warnings}, l.err()
}

// loader is one run of Load.
type loader struct {
	settings []*setting
	env      environment
	sources  []source // strongest first
	problems []string
	warnings []string
	bad      []string // names that have a problem already
}

func (l *loader) problem(name, format string, args ...any) {
	l.problems = append(l.problems, fmt.Sprintf(format, args...))
	if name != "" {
		l.bad = append(l.bad, name)
	}
}

func (l *loader) err() error {
	if len(l.problems) == 0 {
		return nil
	}
	return &Error{Problems: l.problems}
}

// fill sets each setting from the strongest source that has it.
func (l *loader) fill() {
	for _, s := range l.settings {
		for _, src := range l.sources {
			in, ok, err := s.pick(src)
			if err != nil {
				l.problem(s.name, "%s%s: %v", s.name, in.where(), err)
				break
			}
			if !ok {
				continue
			}
			if err := s.set(in); err != nil {
				l.problem(s.name, "%s%s: %v", s.name, in.where(), err)
			}
			break
		}
	}
}

func (l *loader) resolve(into []any) {
	for _, v := range hooks[resolver](into) {
		l.report(v.Resolve(l.env.get))
	}
}

func (l *loader) validate(into []any) {
	for _, v := range hooks[validator](into) {
		l.report(v.Validate())
	}
}

// report adds the lines of err that say something new: nothing twice, and nothing
// more about a variable whose value could not be read.
func (l *loader) report(err error) {
	for _, line := range lines(err) {
		said := slices.Contains(l.problems, line) ||
			slices.ContainsFunc(l.bad, func(name string) bool { return mentions(line, name) })
		if !said {
			l.problems = append(l.problems, line)
		}
	}
}

// Error is everything that is wrong with the settings.
type Error struct {
	Problems []string // a line each
}

// Error joins the problems, a line each.
func (e *Error) Error() string { return strings.Join(e.Problems, "\n") }

// Lines splits an error into what it joins: a line for each.
func Lines(err error) []string { return lines(err) }

func lines(err error) []string {
	if err == nil {
		return nil
	}
	if all, ok := errors.AsType[*Error](err); ok {
		return all.Problems
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var out []string
		for _, e := range many.Unwrap() {
			out = append(out, lines(e)...)
		}
		return out
	}
	return strings.Split(err.Error(), "\n")
}

// mentions says whether line names the variable, and not one that only begins so.
func mentions(line, name string) bool {
	_, after, found := strings.Cut(line, name)
	return found && (after == "" || !isNameByte(after[0]))
}

func isNameByte(b byte) bool {
	return b == '_' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9'
}
