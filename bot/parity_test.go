package bot_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestParityIsShownByTests wants every "yes" of the table linked to tests that exist.
func TestParityIsShownByTests(t *testing.T) {
	t.Parallel()
	table, err := os.ReadFile("../docs/parity.md")
	if err != nil {
		t.Fatal(err)
	}
	links := regexp.MustCompile(`\[(\w+)\]\(([^)]+)\)`)
	rows := 0
	for line := range strings.SplitSeq(string(table), "\n") {
		cells := strings.Split(line, "|")
		if len(cells) < 7 || strings.HasPrefix(cells[1], "---") {
			continue
		}
		rows++
		found := links.FindAllStringSubmatch(cells[2], -1)
		if strings.HasPrefix(strings.TrimSpace(cells[2]), "yes") && len(found) == 0 {
			t.Errorf("no test shows: %s", strings.TrimSpace(cells[1]))
		}
		for _, link := range found {
			code, err := os.ReadFile(filepath.Join("../docs", link[2]))
			if err != nil {
				t.Error(err)
			} else if !strings.Contains(string(code), "func "+link[1]+"(") {
				t.Errorf("%s is not in %s", link[1], link[2])
			}
		}
	}
	if rows < 60 {
		t.Errorf("the table has %d rows, want all", rows)
	}
}
