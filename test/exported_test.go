package test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestEveryExportedNameIsShown wants a sentence for each exported name of the public
// packages, and an example or a test that uses each function and variable as pkg.Name, each
// method as x.Method. Types and constants are shown by the functions that take them.
func TestEveryExportedNameIsShown(t *testing.T) {
	used := map[string]bool{}
	for _, dir := range append(publicPackages(), "internal/handlers", "internal/turn", "examples") {
		usedNames(t, dir, used)
	}
	for _, dir := range publicPackages() {
		names := exportedNames(t, dir)
		if len(names) == 0 {
			t.Fatalf("%s exports nothing: the search is wrong", dir)
		}
		for _, n := range names {
			if !n.documented {
				t.Errorf("%s: %s has no sentence", dir, n.name)
			}
			if !n.implied && !used[n.name] {
				t.Errorf("%s: %s is shown by no example and no test", dir, n.name)
			}
		}
	}
}

func publicPackages() []string {
	return []string{"bot", "bottest", "worker"}
}

// exported is a name that a bot's author may use: "bot.Router" or, of a method, ".Message".
type exported struct {
	name       string
	documented bool
	implied    bool // a type or a constant: functions show it
}

// exportedNames lists the names of the packages in a folder, at any depth.
func exportedNames(t *testing.T, dir string) (names []exported) {
	t.Helper()
	eachIn(t, dir, func(path string, f *ast.File) {
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		add := func(prefix string, id *ast.Ident, implied bool, docs ...*ast.CommentGroup) {
			if id.IsExported() {
				has := slices.ContainsFunc(docs, func(d *ast.CommentGroup) bool { return d.Text() != "" })
				names = append(names, exported{prefix + "." + id.Name, has, implied})
			}
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil {
					add(f.Name.Name, d.Name, false, d.Doc)
				} else if receiverExported(d.Recv.List[0].Type) {
					add("", d.Name, false, d.Doc)
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					switch s := s.(type) {
					case *ast.TypeSpec:
						add(f.Name.Name, s.Name, true, s.Doc, d.Doc)
					case *ast.ValueSpec:
						for _, id := range s.Names {
							add(f.Name.Name, id, d.Tok == token.CONST, s.Doc, s.Comment, d.Doc)
						}
					}
				}
			}
		}
	})
	return names
}

// receiverExported is whether the methods of a receiver can be called from outside.
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

// usedNames collects what the tests and examples in a folder use, in the form of exported.
func usedNames(t *testing.T, dir string, used map[string]bool) {
	t.Helper()
	eachIn(t, dir, func(path string, f *ast.File) {
		if !strings.HasSuffix(path, "_test.go") && !strings.HasPrefix(path, "examples") {
			return
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				used["."+n.Sel.Name] = true
				if x, ok := n.X.(*ast.Ident); ok {
					used[x.Name+"."+n.Sel.Name] = true
				}
			case *ast.Ident: // a test within the package uses its names without a prefix
				used[f.Name.Name+"."+n.Name] = true
			}
			return true
		})
	})
}

// eachIn parses the Go files below a folder of the repository.
func eachIn(t *testing.T, dir string, see func(path string, f *ast.File)) {
	t.Helper()
	eachGoFile(t, func(path string) {
		if !within(path, dir) {
			return
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", path), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		see(path, f)
	})
}
