// Package test holds the tests of the house itself.
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

// allowed says which packages of ours a package may import: imports run down only.
func allowed() map[string][]string {
	leaf := []string{}
	return map[string][]string{
		"bot":                leaf,
		"bottest":            {"bot", "internal/fsm", "internal/lane", "internal/telegram"},
		"worker":             {"bot", "internal/turn", "internal/lane", "internal/queue", "internal/fsm", "internal/telegram", "internal/limit", "internal/partition", "internal/telemetry", "internal/config", "internal/forward"},
		"internal/forward":   {"bot", "internal/telegram"},
		"internal/turn":      {"bot", "internal/fsm", "internal/queue", "internal/telegram", "internal/lane"},
		"internal/ingress":   {"internal/telegram", "internal/lane", "internal/partition", "internal/queue", "internal/config", "internal/telemetry"},
		"internal/handlers":  {"bot"},
		"internal/queue":     {"internal/lane", "internal/partition", "internal/queue"},
		"internal/telegram":  {"internal/lane"},
		"internal/fsm":       {"internal/fsm", "internal/lane"},
		"internal/lane":      leaf,
		"internal/partition": leaf,
		"internal/config":    leaf,
		"internal/telemetry": leaf,
		"internal/limit":     leaf,
		"internal/simulator": leaf,
	}
}

// outside says who alone may speak to which server.
func outside() map[string][]string {
	return map[string][]string{
		"github.com/nats-io/nats.go":     {"internal/queue", "internal/fsm/kvstore", "cmd/chatlane"},
		"github.com/redis/go-redis/v9":   {"internal/fsm/redisstore", "internal/limit"},
		"github.com/nats-io/nats-server": {"internal/queue/embedded", "internal/queue/natstest"},
	}
}

func TestImportsRunDownOnly(t *testing.T) {
	parsed := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		parsed++
		check(t, path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if parsed < 100 {
		t.Errorf("only %d files were looked at", parsed)
	}
}

func check(t *testing.T, path string) {
	t.Helper()
	dir := filepath.ToSlash(filepath.Dir(strings.TrimPrefix(path, "../")))
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range f.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if ours, ok := strings.CutPrefix(imported, module); ok {
			if ours == "internal/testport" {
				if !isForTests(dir) {
					t.Errorf("%s imports %s, which is for tests", path, ours)
				}
				continue
			}
			for from, to := range allowed() {
				if within(dir, from) && !slices.ContainsFunc(to, func(p string) bool { return within(ours, p) }) && !within(ours, dir) {
					t.Errorf("%s imports %s, which is not below %s", path, ours, from)
				}
			}
		}
		for server, who := range outside() {
			if within(imported, server) && !slices.ContainsFunc(who, func(p string) bool { return within(dir, p) }) {
				t.Errorf("%s imports %s; only %v may", path, imported, who)
			}
		}
	}
}

// isForTests tells that a folder holds help for tests alone.
func isForTests(dir string) bool { return strings.HasSuffix(dir, "test") || within(dir, "test") }

// within tells that a path is the folder or lies in it.
func within(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }
