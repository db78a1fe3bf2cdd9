package bot_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestParityIsShownByTests wants everything that the table claims for Chatlane linked
// to tests that exist.
func TestParityIsShownByTests(t *testing.T) {
	t.Parallel()
	table, err := os.ReadFile("../docs/parity.md")
	if err != nil {
		t.Fatal(err)
	}
	rows, links := 0, 0
	for line := range strings.SplitSeq(string(table), "\n") {
		cells := strings.Split(line, "|")
		if len(cells) < 7 || strings.HasPrefix(cells[1], "---") || strings.TrimSpace(cells[1]) == "" {
			continue
		}
		rows++
		for _, flaw := range flaws(strings.TrimSpace(cells[2])) {
			t.Errorf("%s: %s", strings.TrimSpace(cells[1]), flaw)
		}
		links += strings.Count(cells[2], "](")
	}
	if rows < 70 || links < rows {
		t.Errorf("the table has %d rows with %d links, want all", rows, links)
	}
}

// A claim without a test, and one whose test is not where it is said to be, are found.
func TestParityFindsClaimsWithoutTests(t *testing.T) {
	t.Parallel()
	for _, claim := range []string{
		"yes",
		"pipeline",
		"under 5 us",
		"yes: [TestThatIsNotThere](../bot/parity_test.go)",
		"yes: [TestParityIsShownByTests](../bot/graph_test.go)",
		"yes: [TestParityIsShownByTests](../bot/nothing_test.go)",
		"yes: [flaws](../bot/parity_test.go)",
		"yes: [NewTurn](../bot/turn.go)",
	} {
		if len(flaws(claim)) == 0 {
			t.Errorf("passes: %s", claim)
		}
	}
	for _, claim := range []string{"no", "no, there is no need", "yes: [TestParityIsShownByTests](../bot/parity_test.go)"} {
		if found := flaws(claim); len(found) > 0 {
			t.Errorf("%s: %v", claim, found)
		}
	}
}

// flaws says what is missing of the tests that a claim names.
func flaws(claim string) (all []string) {
	links := regexp.MustCompile(`\[([^\]]+)\]\(([^)]+)\)`).FindAllStringSubmatch(claim, -1)
	if len(links) == 0 && !regexp.MustCompile(`^no\b`).MatchString(claim) {
		all = append(all, "no test shows it")
	}
	for _, link := range links {
		name, path := link[1], link[2]
		if !regexp.MustCompile(`^(Test|Benchmark|Fuzz|Example)`).MatchString(name) || !strings.HasSuffix(path, "_test.go") {
			all = append(all, name+" is no test")
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join("../docs", path), nil, parser.SkipObjectResolution)
		if err != nil {
			all = append(all, err.Error())
			continue
		}
		if !slices.ContainsFunc(f.Decls, func(d ast.Decl) bool {
			fn, ok := d.(*ast.FuncDecl)
			return ok && fn.Recv == nil && fn.Name.Name == name
		}) {
			all = append(all, name+" is not in "+path)
		}
	}
	return all
}
