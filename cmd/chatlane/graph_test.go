package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chatlane/chatlane/internal/config"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestGraphDrawsTheBundledBot(t *testing.T) {
	for format, name := range map[string]string{"mermaid": "graph.mermaid", "dot": "graph.dot"} {
		var stdout, stderr bytes.Buffer
		p := config.Program{Stdout: &stdout, Stderr: &stderr}
		if code := run(t.Context(), p, []string{"graph", "--format", format}); code != 0 || stderr.Len() > 0 {
			t.Errorf("exits with %d: %s", code, &stderr)
		}
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, stdout.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), stdout.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestGraphRefusesAnUnknownFormat(t *testing.T) {
	var stdout, stderr bytes.Buffer
	p := config.Program{Stdout: &stdout, Stderr: &stderr}
	if code := run(t.Context(), p, []string{"graph", "--format", "png"}); code != config.ExitUsage || stderr.Len() == 0 || stdout.Len() > 0 {
		t.Errorf("exits with %d: %s", code, &stderr)
	}
}
