package config

import (
	"maps"
	"slices"
	"strings"
)

// source is one place that values come from, by the name of the variable.
type source struct {
	values map[string]input
}

// environment is the environment that the process was given.
type environment struct {
	vars map[string]string
	used map[string]bool
}

func readEnviron(environ []string) environment {
	e := environment{vars: map[string]string{}, used: map[string]bool{}}
	for _, pair := range environ {
		if name, value, ok := strings.Cut(pair, "="); ok {
			e.vars[name] = value
		}
	}
	return e
}

// get looks a variable up, and notes that it is wanted.
func (e environment) get(name string) string {
	e.used[name] = true
	return e.vars[name]
}

// source takes the settings' values. An empty variable is as good as none.
func (e environment) source(settings []*setting) source {
	src := source{values: map[string]input{}}
	for _, s := range settings {
		for _, name := range s.names() {
			if text := e.get(name); text != "" {
				src.values[name] = input{items: []string{text}}
			}
		}
	}
	return src
}

// arguments is what the command line says.
type arguments struct {
	source
	help, version bool
	rest          []string
}

// readArgs reads --name value, --name=value and, for booleans, --name. One dash
// will do. A list may be given by repetition; else the last one holds.
func (l *loader) readArgs(args []string, positional bool) arguments {
	out := arguments{source: source{values: map[string]input{}}}
	for i := 0; i < len(args); i++ {
		name, value, hasValue := strings.Cut(strings.TrimLeft(args[i], "-"), "=")
		switch {
		case args[i] == "--":
			out.rest = append(out.rest, args[i+1:]...)
			i = len(args)
			continue
		case !strings.HasPrefix(args[i], "-") || args[i] == "-":
			out.rest = append(out.rest, args[i])
			continue
		case name == "help" || name == "h":
			out.help = true
			return out
		case name == "version":
			out.version = true
			return out
		}
		full, s := l.byFlag(name)
		switch {
		case full == "":
			l.problem("", "--%s: no such flag%s", name, l.suggest(strings.ReplaceAll(name, "-", "_"), "--"))
		case hasValue:
		case s != nil && full == s.name && s.isBool():
			value = "true"
		case i+1 < len(args):
			i++
			value = args[i]
		default:
			l.problem(full, "--%s: a value must follow", name)
			continue
		}
		if full != "" {
			out.add(full, name, value, s)
		}
	}
	if len(out.rest) > 0 && !positional {
		l.problem("", "argument without a name; settings are given as --name=value") // not shown: it may be a secret
	}
	return out
}

func (a *arguments) add(name, flag, value string, s *setting) {
	in := input{items: []string{value}, from: "--" + strings.ReplaceAll(flag, "_", "-")}
	if before, again := a.values[name]; again && s != nil && s.isList() {
		in.items = append(before.items, value)
	}
	a.values[name] = in
}

// byFlag finds the variable that a flag sets; s is nil for the YAML file's.
func (l *loader) byFlag(flag string) (name string, s *setting) {
	for _, s := range l.settings {
		if s.flag != "" && s.flag == flag {
			return s.name, s
		}
	}
	return l.byKey(strings.ReplaceAll(flag, "-", "_"))
}

// byKey finds the variable that a key, or the variable's own name, stands for.
func (l *loader) byKey(key string) (name string, s *setting) {
	key = keyOf(strings.ToUpper(strings.ReplaceAll(key, "-", "_")))
	if key == keyOf(fileName) {
		return fileName, nil
	}
	for _, s := range l.settings {
		for _, name := range s.names() {
			if keyOf(name) == key {
				return name, s
			}
		}
	}
	return "", nil
}

// unknown looks for variables of ours that no setting has. One that is nearly the
// name of a setting is a problem. Others only earn a warning: programs that share
// an environment do not share all settings.
func (l *loader) unknown() {
	var strange []string
	for _, name := range slices.Sorted(maps.Keys(l.env.vars)) {
		switch {
		case !strings.HasPrefix(name, Prefix) || l.env.used[name] || name == fileName || isServiceLink(name):
		case l.suggest(keyOf(name), "") != "":
			l.problem("", "%s: no such variable%s", name, l.suggest(keyOf(name), Prefix))
		default:
			strange = append(strange, name)
		}
	}
	if len(strange) > 0 {
		l.warnings = append(l.warnings, "not used here: "+strings.Join(strange, ", "))
	}
}

// isServiceLink says whether Kubernetes sets such a variable for a Service.
func isServiceLink(name string) bool {
	return strings.Contains(name, "_SERVICE_HOST") || strings.Contains(name, "_SERVICE_PORT") ||
		strings.HasSuffix(name, "_PORT") || strings.Contains(name, "_PORT_")
}

// suggest names the setting that was probably meant: nothing if none is near.
func (l *loader) suggest(key, style string) string {
	best, least := "", 3
	for _, s := range l.settings {
		for _, name := range s.names() {
			if d := distance(key, keyOf(name)); d < least && d < len(key)/2 {
				best, least = name, d
			}
		}
	}
	switch {
	case best == "":
		return ""
	case style == "--":
		best = "--" + strings.ReplaceAll(keyOf(best), "_", "-")
	case style != Prefix:
		best = keyOf(best)
	}
	return "; did you mean " + best + "?"
}

// distance is the number of letters to change, add or drop (Levenshtein).
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
