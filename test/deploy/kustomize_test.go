package deploy

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the generated files anew")

const kustomizeDir = "../../deploy/k8s"

// base are the chart's values behind the kustomize base: addresses and secrets come from
// two Secrets that overlays make or find.
func base() values {
	return least().with("bot.existingSecret", "chatlane-bot").
		with("nats", map[string]any{"existingSecret": "chatlane-servers", "urlKey": "nats-url"}).
		with("redis", map[string]any{"existingSecret": "chatlane-servers", "urlKey": "redis-url"})
}

// The base is the chart, rendered, so that both ways of installing give the same objects.
func TestBaseIsTheChart(t *testing.T) {
	var apps, servers []object
	for _, o := range ordered(objects(t, render(t, base(), release{"chatlane", ""}))) {
		if o.text("metadata", "annotations", "helm.sh/hook") == "" {
			apps = append(apps, o)
		}
	}
	quick := base().with("nats", map[string]any{}).with("redis", map[string]any{}).with("quickstart.enabled", true)
	for _, o := range ordered(objects(t, render(t, quick, release{"chatlane", ""}))) {
		if c := o.text("metadata", "labels", "app.kubernetes.io/component"); c == "nats" || c == "redis" {
			servers = append(servers, o)
		}
	}
	generated(t, filepath.Join(kustomizeDir, "base", "chatlane.yaml"), manifest(t, apps))
	generated(t, filepath.Join(kustomizeDir, "overlays", "dev", "servers.yaml"), manifest(t, servers))
}

func ordered(all map[string]object) (list []object) {
	for _, id := range slices.Sorted(maps.Keys(all)) {
		list = append(list, all[id])
	}
	return list
}

// manifest is YAML without what belongs to Helm and to one namespace.
func manifest(t *testing.T, all []object) []byte {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("# Generated from deploy/helm/chatlane by `make manifests`. Do not edit: write a patch in an overlay.\n")
	for _, o := range all {
		if m, ok := o["metadata"].(map[string]any); ok {
			delete(m, "namespace")
		}
		forgetHelm(map[string]any(o))
		raw, err := yaml.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString("---\n")
		b.Write(raw)
	}
	return b.Bytes()
}

func forgetHelm(v any) {
	switch v := v.(type) {
	case map[string]any:
		delete(v, "helm.sh/chart")
		if v["app.kubernetes.io/managed-by"] == "Helm" {
			delete(v, "app.kubernetes.io/managed-by")
		}
		for _, sub := range v {
			forgetHelm(sub)
		}
	case []any:
		for _, sub := range v {
			forgetHelm(sub)
		}
	}
}

// generated holds a committed file to what it is generated from.
func generated(t *testing.T, path string, want []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(have)); diff != "" {
		t.Errorf("%s is out of date, run make manifests (-want +have):\n%s", path, diff)
	}
}

func build(t *testing.T, folder string) map[string]object {
	t.Helper()
	k := krusty.MakeKustomizer(krusty.MakeDefaultOptions())
	m, err := k.Run(filesys.MakeFsOnDisk(), filepath.Join(kustomizeDir, folder))
	if err != nil {
		t.Fatal(err)
	}
	text, err := m.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return objects(t, map[string]string{folder: string(text)})
}

func TestEveryOverlayIsValidKubernetes(t *testing.T) {
	for _, folder := range []string{"base", "overlays/dev", "overlays/production"} {
		t.Run(folder, func(t *testing.T) { mustBeKubernetes(t, build(t, folder)) })
	}
}

// Everything that the overlay's pods read from Secrets is either in it or named in its README.
func TestOverlaysSayWhichSecretsTheyNeed(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(kustomizeDir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"overlays/dev", "overlays/production"} {
		all := build(t, folder)
		for id, o := range all {
			if o.kind() != "Deployment" {
				continue
			}
			for name, v := range env(t, o) {
				ref, ok := v.(map[string]any)
				if !ok || ref["secretKeyRef"] == nil {
					continue
				}
				secret := fmt.Sprint(ref["secretKeyRef"].(map[string]any)["name"])
				if all["Secret/"+secret] == nil && !strings.Contains(string(readme), secret) {
					t.Errorf("%s: %s reads %s from Secret %s, which is neither made nor named in the README", folder, id, name, secret)
				}
			}
		}
	}
}

func TestProductionHasReplicasAndNoServers(t *testing.T) {
	all := build(t, "overlays/production")
	for id, o := range all {
		if o.kind() == "StatefulSet" {
			t.Errorf("%s is for a first try", id)
		}
	}
	if got := env(t, all["Deployment/chatlane-ingress"])["CHATLANE_STREAM_REPLICAS"]; got != "3" {
		t.Errorf("streams have %v replicas, want 3", got)
	}
}

// Helm packs only what is in the chart's folder: it has copies of the rules and dashboards.
func TestChartHasTheRulesAndDashboards(t *testing.T) {
	copies := map[string]string{"../../deploy/prometheus/rules.yml": "rules.yml"}
	found, err := filepath.Glob("../../deploy/grafana/dashboards/*.json")
	if err != nil || len(found) == 0 {
		t.Fatalf("no dashboards: %v", err)
	}
	for _, path := range found {
		copies[path] = "dashboards/" + filepath.Base(path)
	}
	for from, to := range copies {
		raw, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		generated(t, filepath.Join(chartDir, "files", to), raw)
	}
}
