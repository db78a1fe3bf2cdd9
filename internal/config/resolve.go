package config

import (
	"maps"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// kong takes the value of the last resolver that has one: so fromFile, fromEnvironment
// and fromFileFlag are passed in this order.

// fromFile resolves a setting from the YAML file that --config or CHATLANE_CONFIG names.
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

// fromEnvironment resolves a setting from its variable. An empty one counts as none.
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

// fromFileFlag resolves a secret from the file that its flag --x-file names.
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

// resolved is the flag's value in a source; nil: none, or a problem that is noted.
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

// getenv looks a variable up, and notes that it is wanted.
func (l *loader) getenv(name string) string {
	l.used[name] = true
	return l.env[name]
}

// misspelt reports variables of ours that are nearly the name of a setting. Other
// unknown ones are no fault: programs that share an environment do not share all settings.
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

// isServiceLink says whether Kubernetes sets such a variable for a Service.
func isServiceLink(name string) bool {
	return strings.Contains(name, "_SERVICE_HOST") || strings.Contains(name, "_SERVICE_PORT") ||
		strings.HasSuffix(name, "_PORT") || strings.Contains(name, "_PORT_")
}

// byKey finds the variable that a key of the file, or the variable's own name, stands for.
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

// suggest is the variable whose key is nearest to a wrong one; empty if none is near.
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

// distance is the number of letters to change, add or drop (Levenshtein); kong keeps
// its own for flags to itself.
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
