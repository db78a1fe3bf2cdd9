package deploy

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Dashboards and rules ask for metrics that exist: docs/metrics.md lists them, and is held to the code.
func TestDashboardsAndRulesUseMetricsThatExist(t *testing.T) {
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile("`(chatlane_[a-z_]+)`").FindAllStringSubmatch(string(page), -1) {
		documented[m[1]] = true
	}
	paths, err := filepath.Glob("../../deploy/grafana/dashboards/*.json")
	if err != nil || len(paths) == 0 || len(documented) == 0 {
		t.Fatalf("%d dashboards, %d metrics: %v", len(paths), len(documented), err)
	}
	for _, path := range append(paths, "../../deploy/prometheus/rules.yml") {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		asked := regexp.MustCompile(`\bchatlane_[a-z_]+`).FindAllString(string(raw), -1)
		if len(asked) == 0 {
			t.Errorf("%s asks for nothing", path)
		}
		for _, name := range asked {
			if !documented[name] && !documented[strings.TrimSuffix(name, "_bucket")] {
				t.Errorf("%s asks for %s, which does not exist", path, name)
			}
		}
	}
}
