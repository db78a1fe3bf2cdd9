package test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestEveryExportedNameIsShown wants a sentence for each exported name of the public
// packages, and an example or a test that uses it.
func TestEveryExportedNameIsShown(t *testing.T) {
	used := map[string]bool{}
	for _, dir := range []string{"../bot", "../bottest", "../worker", "../internal/handlers", "../internal/turn", "../examples"} {
		usedNames(t, dir, used)
	}
	for _, dir := range []string{"../bot", "../bottest", "../worker"} {
		names := exportedNames(t, dir)
		if len(names) == 0 {
			t.Fatalf("%s exports nothing: the search is wrong", dir)
		}
		for _, n := range names {
			if !n.documented {
				t.Errorf("%s: %s has no sentence", dir, n.name)
			}
			if !used[n.name] {
				t.Errorf("%s: %s is shown by no example and no test", dir, n.name)
			}
		}
	}
}

// exported is a name that a stranger may use.
type exported struct {
	name       string
	documented bool
}

func exportedNames(t *testing.T, dir string) []exported {
	t.Helper()
	var names []exported
	add := func(id *ast.Ident, docs ...*ast.CommentGroup) {
		if id.IsExported() {
			names = append(names, exported{id.Name, slices.ContainsFunc(docs, func(d *ast.CommentGroup) bool { return d.Text() != "" })})
		}
	}
	eachIn(t, dir, func(name string, f *ast.File) {
		if strings.HasSuffix(name, "_test.go") {
			return
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil || receiverExported(d.Recv.List[0].Type) {
					add(d.Name, d.Doc)
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					switch s := s.(type) {
					case *ast.TypeSpec:
						add(s.Name, s.Doc, d.Doc)
					case *ast.ValueSpec:
						for _, id := range s.Names {
							add(id, s.Doc, s.Comment, d.Doc)
						}
					}
				}
			}
		}
	})
	return names
}

// receiverExported tells that the method of such a receiver can be called from outside.
func receiverExported(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiverExported(e.X)
	case *ast.IndexExpr:
		return receiverExported(e.X)
	case *ast.IndexListExpr:
		return receiverExported(e.X)
	case *ast.Ident:
		return e.IsExported()
	}
	return false
}

// usedNames collects what the tests of a directory mention, its subdirectories included.
func usedNames(t *testing.T, dir string, used map[string]bool) {
	t.Helper()
	eachIn(t, dir, func(name string, f *ast.File) {
		if !strings.HasSuffix(name, "_test.go") && !strings.Contains(dir, "examples") {
			return
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok {
				used[id.Name] = true
			}
			return true
		})
	})
}

func eachIn(t *testing.T, dir string, see func(name string, f *ast.File)) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err == nil {
			see(path, f)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
