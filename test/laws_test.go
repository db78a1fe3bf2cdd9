package test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What the page of the laws names has to be there: a guard whose test is gone has none.
func TestPageOfTheLawsNamesWhatExists(t *testing.T) {
	page, err := os.ReadFile("../docs/laws.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := testNames(t)
	named := 0
	for _, m := range regexp.MustCompile("`([A-Z][a-zA-Z]{11,})`").FindAllStringSubmatch(string(page), -1) {
		named++
		if !strings.Contains(tests, "func "+m[1]+"(") && !strings.Contains(tests, `"`+m[1]+`":`) {
			t.Errorf("no test and no case is called %s", m[1])
		}
	}
	if named < 50 {
		t.Errorf("only %d names were looked for", named)
	}
	for _, m := range regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(string(page), -1) {
		if _, err := os.Stat(filepath.Join("../docs", m[1])); err != nil {
			t.Errorf("link to nowhere: %v", err)
		}
	}
}

// testNames is the text of all tests, and of the conformance suite.
func testNames(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") && !strings.HasSuffix(path, "fsmtest.go") {
			return err
		}
		text, err := os.ReadFile(path)
		all.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
