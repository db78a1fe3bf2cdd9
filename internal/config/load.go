package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// Prefix begins every name of ours.
const Prefix = "CHATLANE_"

const fileName = Prefix + "CONFIG"

type loader struct {
	common   common
	all      []*setting
	settings map[*kong.Value]*setting

	env  map[string]string
	used map[string]bool // variables that are settings, or that a setting names
	file map[string]input

	problems []string
	bad      []string // names that have a problem already
}

func newLoader(environ []string) *loader {
	l := &loader{env: map[string]string{}, used: map[string]bool{}, settings: map[*kong.Value]*setting{}}
	for _, pair := range environ {
		if name, value, ok := strings.Cut(pair, "="); ok {
			l.env[name] = value
		}
	}
	return l
}

func (l *loader) options() []kong.Option {
	return []kong.Option{
		kong.WithHyphenPrefixedParameters(true), // ids of groups are negative
		kong.Exit(func(int) { panic("config: kong exits") }),
		kong.PostBuild(l.adopt),
	}
}

// load reads args and then, whatever is wrong with them, the other sources.
func (l *loader) load(k *kong.Kong, args []string) (*kong.Context, error) {
	ctx, err := k.Parse(args)
	for range args {
		rest, unknown := l.withoutUnknown(args, err)
		if !unknown {
			break
		}
		args = rest
		ctx, err = k.Parse(args)
	}
	if errors.Is(err, errPrinted) || errors.Is(err, ErrUsage) { // from a flag that prints
		return ctx, err
	}
	wrong, refused := errors.AsType[*kong.ParseError](err)
	if refused {
		ctx = wrong.Context
	}
	if refused && ctx.Error != nil { // kong has read only arguments, up to the mistake
		l.problem("", "%s", wording(err))
		_ = errors.Join(ctx.Reset(), ctx.Resolve()) // problems are noted, see value.go
		_, _ = ctx.Apply()
	}
	if l.hooks(ctx) && ctx.Error == nil { // every Validate has passed: kong can only miss an argument
		if err := ctx.Validate(); err != nil {
			l.problem("", "%s", wording(err))
		}
	}
	l.misspelt()
	if len(l.problems) > 0 {
		return ctx, &Error{Problems: l.problems}
	}
	return ctx, nil
}

func (l *loader) withoutUnknown(args []string, err error) (rest []string, unknown bool) {
	if err == nil {
		return args, false
	}
	text, unknown := strings.CutPrefix(err.Error(), "unknown flag ")
	flag, _, _ := strings.Cut(text, ",")
	at := slices.IndexFunc(args, func(arg string) bool { return arg == flag || strings.HasPrefix(arg, flag+"=") })
	if !unknown || at < 0 {
		return args, false
	}
	l.problem("", "%s", wording(err))
	end := at + 1
	if args[at] == flag && end < len(args) && !strings.HasPrefix(args[end], "-") {
		end++
	}
	return slices.Delete(slices.Clone(args), at, end), true
}

// wording is kong's error without an argument that may be a secret.
func wording(err error) string {
	text := err.Error()
	for _, what := range []string{"unexpected argument", "unexpected flag argument"} {
		if rest, ok := strings.CutPrefix(text, what); ok {
			if _, hint, ok := strings.Cut(rest, ", did you mean"); ok {
				return what + ", did you mean" + hint
			}
			return what + "; settings are given as --name=value"
		}
	}
	return text
}

func (l *loader) problem(name, format string, args ...any) {
	if line := fmt.Sprintf(format, args...); !slices.Contains(l.problems, line) {
		l.problems = append(l.problems, line)
	}
	if name != "" {
		l.bad = append(l.bad, name)
	}
}

// NoLimit replaces 0 in a setting with unit "limit", since a field's zero value stands for the default.
const NoLimit = -1

// Defaults sets each zero field of the struct that into points to, to its tag's default. It panics on wrong tags.
func Defaults(into any) {
	l := newLoader(nil)
	k, err := kong.New(into, l.options()...)
	if err != nil {
		panic("config: " + err.Error())
	}
	ctx, err := kong.Trace(k, nil)
	if err = errors.Join(err, ctx.ApplyDefaults()); err != nil {
		panic("config: " + err.Error())
	}
}
