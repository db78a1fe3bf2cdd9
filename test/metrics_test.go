package test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestEveryMetricIsDocumented holds docs/metrics.md to the code, both ways.
func TestEveryMetricIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(chatlane_[a-z_]+)`").FindAllStringSubmatch(string(page), -1) {
		documented[m[1]] = true
	}
	declared := declaredMetrics(t)
	if len(declared) < 30 {
		t.Fatalf("found only %d metrics in the code: the search is wrong", len(declared))
	}
	for _, name := range declared {
		if !documented[name] {
			t.Errorf("%s is missing from docs/metrics.md", name)
		}
	}
	for name := range documented {
		if !slices.Contains(declared, name) {
			t.Errorf("docs/metrics.md has %s, the code has not", name)
		}
	}
}

// declaredMetrics finds the names in the options of Prometheus, and those that a
// package hands to a function of its own that fills such options.
func declaredMetrics(t *testing.T) []string {
	t.Helper()
	var names []string
	note := func(e ast.Expr) {
		if lit, ok := e.(*ast.BasicLit); ok {
			if name, err := strconv.Unquote(lit.Value); err == nil && strings.HasPrefix(name, "chatlane_") {
				names = append(names, name)
			}
		}
	}
	eachFile(t, func(f *ast.File) {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CompositeLit:
				if s, ok := n.Type.(*ast.SelectorExpr); ok && strings.HasSuffix(s.Sel.Name, "Opts") {
					for _, e := range n.Elts {
						if kv, ok := e.(*ast.KeyValueExpr); ok {
							note(kv.Value)
						}
					}
				}
			case *ast.CallExpr:
				if fun, ok := n.Fun.(*ast.Ident); ok && len(n.Args) > 0 && slices.Contains([]string{"counter", "gauge"}, fun.Name) {
					note(n.Args[0])
				}
			}
			return true
		})
	})
	slices.Sort(names)
	return slices.Compact(names)
}

// eachFile parses every file of the house that is not a test.
func eachFile(t *testing.T, see func(*ast.File)) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err == nil {
			see(f)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
