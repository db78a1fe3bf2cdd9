package test

import (
	"go/ast"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestEveryMetricIsDocumented holds docs/metrics.md to the code, both ways.
func TestEveryMetricIsDocumented(t *testing.T) {
	page := readPage(t, "docs/metrics.md")
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(chatlane_[a-z_]+)`").FindAllStringSubmatch(page, -1) {
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
			t.Errorf("docs/metrics.md has %s, the code declares no such metric", name)
		}
	}
}

// declaredMetrics finds the names in options of Prometheus, and those that are passed to a
// package's own function that fills such options.
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
	eachIn(t, ".", func(path string, f *ast.File) {
		if strings.HasSuffix(path, "_test.go") {
			return
		}
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
