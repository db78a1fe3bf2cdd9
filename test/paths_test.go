package test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestPathsInThePagesExist wants every path of this repository that a page names in
// `backticks` to exist, so that a package that moved leaves no old name behind.
func TestPathsInThePagesExist(t *testing.T) {
	named := regexp.MustCompile("`((?:bot|bottest|cmd|docs|examples|internal|test|worker)/[A-Za-z0-9_./-]+)`")
	found := 0
	for _, page := range pages(t) {
		if page == "CHANGELOG.md" || strings.HasPrefix(page, "docs/decisions/") {
			continue // they tell how things were
		}
		for _, m := range named.FindAllStringSubmatch(withoutCode(readPage(t, page)), -1) {
			found++
			if _, err := os.Stat(filepath.Join("..", m[1])); err != nil && !strings.Contains(m[1], "NNNN") {
				t.Errorf("%s names %s, which does not exist", page, m[1])
			}
		}
	}
	if found < 20 {
		t.Errorf("found only %d paths: the search is wrong", found)
	}
}
