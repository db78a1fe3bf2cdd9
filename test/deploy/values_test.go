package deploy

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// The schema knows every value and no other, so that a misspelt one is refused.
func TestSchemaKnowsEveryValue(t *testing.T) {
	var have, want map[string]any
	read(t, filepath.Join(chartDir, "values.yaml"), &have)
	read(t, filepath.Join(chartDir, "values.schema.json"), &want)
	known(t, "", have, want)
}

func read(t *testing.T, path string, into any) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err == nil {
		err = yaml.Unmarshal(raw, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func known(t *testing.T, path string, values, schema map[string]any) {
	t.Helper()
	props, fixed := schema["properties"].(map[string]any)
	if !fixed {
		return // handed to Kubernetes as it is
	}
	if schema["additionalProperties"] != false {
		t.Errorf("the schema takes unknown values in %q", path)
	}
	for name, v := range values {
		sub, ok := props[name].(map[string]any)
		if !ok {
			t.Errorf("the schema does not know %s%s", path, name)
			continue
		}
		if m, ok := v.(map[string]any); ok {
			known(t, path+name+".", m, sub)
		}
	}
	for name := range props {
		if _, ok := values[name]; !ok && name != "global" && !strings.Contains(path, "externalSecret.") {
			t.Errorf("the schema knows %s%s, and values.yaml does not", path, name)
		}
	}
}

// The chart's README lists every value with the comment that it has in values.yaml.
func TestReadmeListsEveryValue(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(chartDir, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(chartDir, "README.md")
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, _, found := bytes.Cut(have, []byte("<!-- values -->\n"))
	if !found {
		t.Fatal("README.md has no line <!-- values -->")
	}
	generated(t, path, append(append(head, "<!-- values -->\n"...), table(t, raw)...))
}

// table is Markdown of a values.yaml: name, default, comment.
func table(t *testing.T, raw []byte) []byte {
	t.Helper()
	var defaults map[string]any
	if err := yaml.Unmarshal(raw, &defaults); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	b.WriteString("| value | default | |\n|---|---|---|\n")
	var path []string
	comment := ""
	for lines := bufio.NewScanner(bytes.NewReader(raw)); lines.Scan(); {
		line := lines.Text()
		trimmed := strings.TrimSpace(line)
		if c, ok := strings.CutPrefix(trimmed, "# -- "); ok {
			comment = c
			continue
		}
		name, _, ok := strings.Cut(trimmed, ":")
		if !ok || strings.HasPrefix(trimmed, "#") {
			continue
		}
		depth := (len(line) - len(trimmed)) / 2
		path = append(path[:min(depth, len(path))], name)
		v := lookUp(defaults, path)
		if m, nested := v.(map[string]any); nested && len(m) > 0 && comment == "" {
			continue
		}
		if v == nil && comment == "" {
			continue
		}
		def, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s |\n", strings.Join(path, "."), def, strings.ReplaceAll(comment, "|", "\\|"))
		comment = ""
	}
	return b.Bytes()
}

func lookUp(at map[string]any, path []string) any {
	v := any(at)
	for _, p := range path {
		m, _ := v.(map[string]any)
		v = m[p]
	}
	return v
}
