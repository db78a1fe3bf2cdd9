package test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A guard whose test is gone has none: docs/laws.md may name only tests, and cases of the
// conformance suite, that exist, and only code that stands in the file beside it.
func TestPageOfTheLawsNamesWhatExists(t *testing.T) {
	page := readPage(t, "docs/laws.md")
	tests := testNames(t)
	cited := 0
	for _, m := range regexp.MustCompile("`([A-Z][a-zA-Z]{11,})`").FindAllStringSubmatch(page, -1) {
		cited++
		if !tests[m[1]] {
			t.Errorf("docs/laws.md: no test and no case is called %s", m[1])
		}
	}
	guards := 0
	for line := range strings.Lines(page) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 {
			continue
		}
		for _, g := range guardsIn(cells[2]) {
			guards++
			if !declares(t, filepath.Join("../docs", g.file), g.name) {
				t.Errorf("docs/laws.md: %s declares no %s", g.file, g.name)
			}
		}
	}
	if cited < 50 || guards < 30 {
		t.Errorf("found only %d tests and %d guards: the search is wrong", cited, guards)
	}
}

// guard is a function that the page names beside the file that declares it.
type guard struct{ file, name string }

// guardsIn reads a cell such as "[term.go](../internal/x/term.go) `accept`, `receive`". A
// name that stands behind links to several files is looked for in the last one.
func guardsIn(cell string) (guards []guard) {
	file := ""
	for _, m := range regexp.MustCompile("\\]\\(([^)]+)\\)|`([a-zA-Z]+)`").FindAllStringSubmatch(cell, -1) {
		switch {
		case m[1] != "":
			file = m[1]
		case strings.HasSuffix(file, ".go"):
			guards = append(guards, guard{file, m[2]})
		}
	}
	return guards
}

func declares(t *testing.T, path, name string) bool {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Error(err)
		return true
	}
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Name.Name == name {
			return true
		}
	}
	return false
}

// testNames has the functions of all tests, and the string keys of the tables in them and
// in the conformance suite: those name subtests.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := make(map[string]bool)
	key := regexp.MustCompile(`"([A-Z][a-zA-Z]+)":`)
	eachGoFile(t, func(path string) {
		if !strings.HasSuffix(path, "_test.go") && !strings.Contains(path, "/fsmtest/") {
			return
		}
		text := readPage(t, path)
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(text, -1) {
			names[m[1]] = true
		}
		for _, m := range key.FindAllStringSubmatch(text, -1) {
			names[m[1]] = true
		}
	})
	return names
}

// TestLinksOfThePagesResolve follows every relative link of every page to a file and, within
// our pages, to a heading.
func TestLinksOfThePagesResolve(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	links := 0
	for _, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(withoutCode(readPage(t, page)), -1) {
			target, heading, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			links++
			path := filepath.Join(filepath.Dir(page), target)
			if target == "" {
				path = page
			}
			if _, err := os.Stat(filepath.Join("..", path)); err != nil {
				t.Errorf("%s: link to %s: %v", page, m[1], err)
			} else if heading != "" && strings.HasSuffix(path, ".md") && !headings(readPage(t, path))[heading] {
				t.Errorf("%s: link to %s: there is no such heading", page, m[1])
			}
		}
	}
	if links < 50 {
		t.Errorf("found only %d links: the search is wrong", links)
	}
}

// pages lists the Markdown files, relative to the repository.
func pages(t *testing.T) (found []string) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git" || d.Name() == "testdata"):
			return fs.SkipDir
		case strings.HasSuffix(path, ".md"):
			found = append(found, strings.TrimPrefix(filepath.ToSlash(path), "../"))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// headings are the anchors that a page's headings get on GitHub.
func headings(page string) map[string]bool {
	anchors := make(map[string]bool)
	dropped := regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(withoutCode(page), -1) {
		text := dropped.ReplaceAllString(strings.ToLower(m[1]), "")
		anchors[strings.ReplaceAll(strings.TrimSpace(text), " ", "-")] = true
	}
	return anchors
}

// withoutCode leaves fenced blocks out: what looks like a link or a heading there is none.
func withoutCode(page string) string {
	return regexp.MustCompile("(?ms)^```.*?^```$").ReplaceAllString(page, "")
}

func readPage(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
