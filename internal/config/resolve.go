package config

import (
	"maps"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// kong takes the value of the last resolver that has one, so the order of fromFile, fromEnvironment and
// fromFileFlag counts.

func (l *loader) fromFile(ctx *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if l.file == nil {
		path, _ := ctx.FlagValue(l.configFlag(ctx)).(string)
		if path == "" {
			path = l.getenv(fileName)
		}
		l.file = l.readFile(path)
	}
	return l.resolved(flag, l.file), nil
}

func (l *loader) configFlag(ctx *kong.Context) *kong.Flag {
	at := slices.IndexFunc(ctx.Model.Flags, func(f *kong.Flag) bool { return f.Name == flagOf(fileName) })
	return ctx.Model.Flags[at]
}

// fromEnvironment counts an empty variable as none.
func (l *loader) fromEnvironment(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	s := l.settings[flag.Value]
	if s == nil {
		return nil, nil //nolint:nilnil // kong's form of "no value"
	}
	values := map[string]input{}
	for _, name := range s.names() {
		if text := l.getenv(name); text != "" {
			values[name] = input{items: []string{text}}
		}
	}
	return l.resolved(flag, values), nil
}

func (l *loader) fromFileFlag(ctx *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	s := l.settings[flag.Value]
	if s == nil || s.path == nil {
		return nil, nil //nolint:nilnil // kong's form of "no value"
	}
	path, _ := ctx.FlagValue(s.path).(string)
	if path == "" {
		return nil, nil //nolint:nilnil // as above
	}
	return l.resolved(flag, map[string]input{s.name + "_FILE": {items: []string{path}, from: "--" + s.path.Name}}), nil
}

func (l *loader) resolved(flag *kong.Flag, source map[string]input) any {
	s := l.settings[flag.Value]
	if s == nil {
		return nil
	}
	in, ok, err := s.pick(source)
	switch {
	case err != nil:
		l.problem(s.name, "%s%s: %v", s.name, in.where(), err)
		return nil
	case !ok:
		return nil
	}
	return in
}

func (l *loader) getenv(name string) string {
	l.used[name] = true
	return l.env[name]
}

// misspelt reports variables that are nearly a setting's. Other unknown ones may be another program's.
func (l *loader) misspelt() {
	for _, s := range l.all {
		for _, name := range s.names() {
			l.used[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.env)) {
		if strings.HasPrefix(name, Prefix) && !l.used[name] && name != fileName && !isServiceLink(name) {
			if hint := l.suggest(keyOf(name)); hint != "" {
				l.problem("", "%s: no such variable; did you mean %s?", name, hint)
			}
		}
	}
}

func isServiceLink(name string) bool {
	return strings.Contains(name, "_SERVICE_HOST") || strings.Contains(name, "_SERVICE_PORT") ||
		strings.HasSuffix(name, "_PORT") || strings.Contains(name, "_PORT_")
}

func (l *loader) byKey(key string) (name string, s *setting) {
	key = keyOf(strings.ToUpper(strings.ReplaceAll(key, "-", "_")))
	for _, s := range l.all {
		for _, name := range s.names() {
			if keyOf(name) == key {
				return name, s
			}
		}
	}
	return "", nil
}

// suggest is the nearest variable within two letters, empty if there is none.
func (l *loader) suggest(key string) string {
	best, least := "", 3
	for _, s := range l.all {
		for _, name := range s.names() {
			if d := distance(key, keyOf(name)); d < least && d < len(key)/2 {
				best, least = name, d
			}
		}
	}
	return best
}

// distance is Levenshtein's; kong does not export its own.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
