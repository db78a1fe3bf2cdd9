package test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// docLink is a link of a doc comment to a name: [Name], [Type.Member], [pkg.Name].
var docLink = regexp.MustCompile(`\[\*?((?:[a-z]\w*\.)?[A-Z]\w*(?:\.[A-Z]\w*)?)\](?:[^(:]|$)`)

// TestDocLinksLeadToNames wants every link of a doc comment to lead to a name that
// there is: a link that leads nowhere is printed with its brackets.
func TestDocLinksLeadToNames(t *testing.T) {
	t.Parallel()
	packages := parsedPackages(t)
	names := map[string]map[string]bool{} // by directory
	byName := map[string][]string{}       // directories, by the package's name
	for dir, files := range packages {
		names[dir] = declared(files)
		byName[files[0].Name.Name] = append(byName[files[0].Name.Name], dir)
	}
	links := 0
	for dir, files := range packages {
		for _, f := range files {
			for _, c := range f.Comments {
				for _, m := range docLink.FindAllStringSubmatch(c.Text(), -1) {
					links++
					if !leads(m[1], dir, names, byName) {
						t.Errorf("%s, package %s: link to [%s], which is not there", dir, f.Name.Name, m[1])
					}
				}
			}
		}
	}
	if links < 20 {
		t.Errorf("only %d links were found", links)
	}
}

func leads(link, dir string, names map[string]map[string]bool, byName map[string][]string) bool {
	first, rest, dotted := strings.Cut(link, ".")
	if !dotted || first != strings.ToLower(first) {
		return names[dir][link]
	}
	if len(byName[first]) == 0 {
		return true // of another module
	}
	for _, d := range byName[first] {
		if names[d][rest] {
			return true
		}
	}
	return false
}

// parsedPackages parses the module's files that are no tests, by directory.
func parsedPackages(t *testing.T) map[string][]*ast.File {
	t.Helper()
	packages := map[string][]*ast.File{}
	err := filepath.WalkDir("..", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != ".." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "examples"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go"):
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), p, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return fmt.Errorf("parse %s: %w", p, err)
		}
		dir := path.Dir(filepath.ToSlash(p))
		packages[dir] = append(packages[dir], f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return packages
}

// declared are the names of a package that a link may lead to: "Name", "Type.Method",
// "Type.Field".
func declared(files []*ast.File) map[string]bool {
	names := map[string]bool{}
	for _, f := range files {
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				names[receiver(d)+d.Name.Name] = true
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					declare(names, spec)
				}
			}
		}
	}
	return names
}

// receiver is "Type." of a method, and nothing of a function.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	typ := d.Recv.List[0].Type
	for {
		switch x := typ.(type) {
		case *ast.StarExpr:
			typ = x.X
		case *ast.IndexExpr:
			typ = x.X
		case *ast.Ident:
			return x.Name + "."
		default:
			return ""
		}
	}
}

func declare(names map[string]bool, spec ast.Spec) {
	switch spec := spec.(type) {
	case *ast.ValueSpec:
		for _, id := range spec.Names {
			names[id.Name] = true
		}
	case *ast.TypeSpec:
		names[spec.Name.Name] = true
		var members *ast.FieldList
		switch typ := spec.Type.(type) {
		case *ast.StructType:
			members = typ.Fields
		case *ast.InterfaceType:
			members = typ.Methods
		default:
			return
		}
		for _, field := range members.List {
			for _, id := range field.Names {
				names[spec.Name.Name+"."+id.Name] = true
			}
		}
	}
}
