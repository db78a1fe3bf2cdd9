package bot_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// TestEveryExportedNameIsShown wants each exported name of this package and of
// bottest used in a test or an example.
func TestEveryExportedNameIsShown(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for _, dir := range []string{".", "../bottest", "../internal/handlers"} {
		for _, f := range parse(t, dir, true) {
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.SelectorExpr:
					used[n.Sel.Name] = true
				case *ast.KeyValueExpr:
					if id, ok := n.Key.(*ast.Ident); ok {
						used[id.Name] = true
					}
				}
				return true
			})
		}
	}
	for _, dir := range []string{".", "../bottest"} {
		for _, f := range parse(t, dir, false) {
			for _, name := range exported(f) {
				if !used[name] {
					t.Errorf("%s is in no test of %s", name, filepath.Base(dir))
				}
			}
		}
	}
}

func parse(t *testing.T, dir string, tests bool) []*ast.File {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") != tests {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

// exported lists the exported functions, methods, types, constants, variables and
// fields of a file.
func exported(f *ast.File) []string {
	var names []string
	add := func(ids ...*ast.Ident) {
		for _, id := range ids {
			if id.IsExported() {
				names = append(names, id.Name)
			}
		}
	}
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && (fn.Recv == nil || ast.IsExported(receiver(fn))) {
			add(fn.Name)
		}
		gen, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range gen.Specs {
			switch spec := spec.(type) {
			case *ast.ValueSpec:
				add(spec.Names...)
			case *ast.TypeSpec:
				add(spec.Name)
				if s, ok := spec.Type.(*ast.StructType); ok && spec.Name.IsExported() {
					for _, field := range s.Fields.List {
						add(field.Names...)
					}
				}
			}
		}
	}
	return names
}

func receiver(fn *ast.FuncDecl) string {
	typ := fn.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if index, ok := typ.(*ast.IndexExpr); ok {
		typ = index.X
	}
	if id, ok := typ.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}
