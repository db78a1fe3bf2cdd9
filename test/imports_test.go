// Package test holds the repository to its rules: imports, documentation, names.
package test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/chatlane/chatlane/"

// mayImport lists each package of this module with the packages of this module that it may
// import, from the programs down. "x/..." means x and all packages below it. A package
// below x needs a line of its own unless x/... has one. _test.go files are free.
const mayImport = `
cmd/chatlane: bot worker internal/...
cmd/ingress: internal/app internal/config internal/ingress internal/telemetry
cmd/worker: internal/handlers worker
examples/...: bot/... bottest worker

worker: bot internal/app internal/broker internal/config internal/fsm/redisstore internal/telemetry
bottest: bot internal/fsm internal/lane internal/telegram/api internal/telegram/rules internal/telegram/update
bot: internal/telegram/rules
bot/i18n: bot
bot/throttle: bot
bot/webapp: bot

internal/app: bot internal/broker internal/config internal/fleet internal/forward internal/fsm internal/fsm/kvstore internal/fsm/redisstore internal/ingress internal/lane internal/lifecycle internal/limit internal/partition internal/preflight internal/queue/... internal/telegram/... internal/telemetry internal/turn
internal/lifecycle:
internal/config:
internal/telemetry:
internal/preflight:
internal/testport:
internal/testlog:

internal/handlers: bot/...
internal/ingress: internal/broker internal/config internal/lane internal/lifecycle internal/partition internal/queue internal/queue/deadletter internal/telegram/api internal/telegram/update internal/telemetry
internal/forward: bot internal/telegram/api internal/telemetry
internal/turn: bot internal/broker internal/fsm internal/lane internal/partition internal/queue internal/queue/deadletter internal/queue/timer internal/telegram/... internal/telemetry

internal/queue/ownership: internal/broker internal/fleet internal/lane internal/partition internal/queue internal/queue/parking
internal/queue/parking: internal/broker internal/lane internal/partition internal/queue
internal/queue/deadletter: internal/broker internal/lane internal/partition internal/queue
internal/queue/timer: internal/broker internal/partition internal/queue
internal/queue/queuetest: internal/broker internal/broker/embedded internal/broker/natstest internal/lane internal/partition internal/queue internal/queue/ownership
internal/queue: internal/broker internal/lane internal/partition
internal/fleet: internal/broker internal/partition internal/preflight
internal/broker: internal/lane internal/partition internal/preflight
internal/broker/embedded:
internal/broker/natstest: internal/broker/embedded

internal/fsm/fsmtest: internal/fsm internal/lane
internal/fsm/memstore: internal/fsm
internal/fsm/kvstore: internal/fsm internal/preflight
internal/fsm/redisstore: internal/fsm internal/preflight
internal/fsm/redisstore/redistest: internal/testport
internal/fsm: internal/lane
internal/limit:

internal/telegram: internal/lane internal/telegram/...
internal/telegram/api: internal/telegram/codec internal/telegram/journal internal/telegram/rules
internal/telegram/codec:
internal/telegram/journal:
internal/telegram/rules:
internal/telegram/update: internal/lane internal/telegram/codec
internal/partition:
internal/lane:

internal/simulator/simtest: internal/simulator
internal/simulator: internal/telegram/rules
test/...: bot worker internal/... test/...
`

// mayDial lists, for each client or server library, the packages that may import it, beside
// the packages that are for tests.
const mayDial = `
github.com/nats-io/nats.go: internal/broker/... internal/queue/... internal/fleet internal/fsm/kvstore internal/limit cmd/chatlane
github.com/redis/go-redis/v9: internal/fsm/redisstore internal/limit
github.com/nats-io/nats-server: internal/broker/embedded internal/broker/natstest
`

func TestImportsRunDownOnly(t *testing.T) {
	ours, servers := parseRules(mayImport), parseRules(mayDial)
	parsed := 0
	eachGoFile(t, func(path string) {
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		parsed++
		dir := filepath.ToSlash(filepath.Dir(path))
		allowed, listed := ours.find(dir)
		if !listed {
			t.Errorf("%s: package %s has no line in test/imports_test.go", path, dir)
		}
		for _, imported := range importsOf(t, path) {
			if below, ok := strings.CutPrefix(imported, module); ok {
				switch {
				case isForTests(below) && !isForTests(dir):
					t.Errorf("%s imports %s, which is for tests", path, below)
				case listed && !matchesAny(below, allowed):
					t.Errorf("%s imports %s; package %s may import only %q", path, below, dir, allowed)
				}
				continue
			}
			for _, r := range servers {
				if within(imported, r.pkg) && !isForTests(dir) && !matchesAny(dir, r.list) {
					t.Errorf("%s imports %s; only %q may", path, imported, r.list)
				}
			}
		}
	})
	if parsed < 100 {
		t.Errorf("only %d files were parsed: the search is wrong", parsed)
	}
}

// rule is one line of a table.
type rule struct {
	pkg  string
	list []string
}

type rules []rule

func parseRules(table string) (out rules) {
	for line := range strings.Lines(table) {
		if pkg, list, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			out = append(out, rule{pkg, strings.Fields(list)})
		}
	}
	return out
}

// find returns what a package may import, by its own line or else by the longest x/... line.
func (rs rules) find(dir string) (list []string, listed bool) {
	longest := ""
	for _, r := range rs {
		if r.pkg == dir {
			return r.list, true
		}
		if matches(dir, r.pkg) && len(r.pkg) > len(longest) {
			longest, list, listed = r.pkg, r.list, true
		}
	}
	return list, listed
}

func matchesAny(pkg string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(pkg, p) })
}

// matches is whether a package is the one that the pattern names, or for x/... lies within x.
func matches(pkg, pattern string) bool {
	if root, ok := strings.CutSuffix(pattern, "/..."); ok {
		return within(pkg, root)
	}
	return pkg == pattern
}

// within is whether a path is the folder or lies in it.
func within(path, folder string) bool {
	return folder == "." || path == folder || strings.HasPrefix(path, folder+"/")
}

// isForTests is whether a package holds help for tests alone.
func isForTests(pkg string) bool {
	return pkg == "internal/testport" || pkg == "internal/testlog" || strings.HasSuffix(pkg, "test") && pkg != "bottest" || within(pkg, "test")
}

func importsOf(t *testing.T, path string) (imported []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", path), nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range f.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		imported = append(imported, name)
	}
	return imported
}

// eachGoFile calls see with the path of each Go file, relative to the repository.
func eachGoFile(t *testing.T, see func(path string)) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git"):
			return fs.SkipDir
		case !d.IsDir() && strings.HasSuffix(path, ".go"):
			see(strings.TrimPrefix(filepath.ToSlash(path), "../"))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
