package test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEachAlertHasItsRunbook compares deploy/prometheus/rules.yml with docs/runbooks, both ways: each
// alert links to the page of its name, and each page is an alert's. A page names only metrics that exist.
func TestEachAlertHasItsRunbook(t *testing.T) {
	t.Parallel()
	rules, err := os.ReadFile("../deploy/prometheus/rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	alerts := make(map[string]bool)
	for _, rule := range strings.Split(string(rules), "- alert: ")[1:] {
		name, body, _ := strings.Cut(rule, "\n")
		alerts[name] = true
		if !strings.Contains(body, "/docs/runbooks/"+name+".md\n") {
			t.Errorf("alert %s has no runbook_url to docs/runbooks/%s.md", name, name)
		}
		if _, err := os.Stat("../docs/runbooks/" + name + ".md"); err != nil {
			t.Errorf("alert %s has no page: %v", name, err)
		}
	}
	pages, err := filepath.Glob("../docs/runbooks/*.md")
	if err != nil || len(pages) == 0 || len(alerts) == 0 {
		t.Fatalf("%d pages, %d alerts, %v", len(pages), len(alerts), err)
	}
	metrics := readPage(t, "docs/metrics.md")
	for _, path := range pages {
		name := strings.TrimSuffix(filepath.Base(path), ".md")
		page := readPage(t, "docs/runbooks/"+name+".md")
		if !alerts[name] {
			t.Errorf("docs/runbooks/%s.md: no alert has this name", name)
		}
		for _, heading := range []string{"# " + name + "\n", "**Means**", "**Users see**", "**Look at**", "**Do**"} {
			if !strings.Contains(page, heading) {
				t.Errorf("docs/runbooks/%s.md lacks %q", name, heading)
			}
		}
		for _, metric := range regexp.MustCompile("chatlane_[a-z_]+").FindAllString(page, -1) {
			if !strings.Contains(metrics, "`"+metric+"`") {
				t.Errorf("docs/runbooks/%s.md names the metric %s, which docs/metrics.md does not have", name, metric)
			}
		}
	}
}
