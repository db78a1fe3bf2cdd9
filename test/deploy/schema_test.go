package deploy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/yannh/kubeconform/pkg/validator"
	"sigs.k8s.io/yaml"
)

// Where schemas come from: the OpenAPI of the Kubernetes module, and the CRDs of the modules
// whose objects the chart makes.
const kubernetes = "k8s.io/kubernetes@v1.36.3"

func definitionModules() map[string]string { // module -> glob of its CRDs
	return map[string]string{
		"sigs.k8s.io/gateway-api@v1.4.1":                             "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml",
		"github.com/prometheus-operator/prometheus-operator@v0.87.1": "example/prometheus-operator-crd/*.yaml",
		"github.com/kedacore/keda/v2@v2.21.0":                        "config/crd/bases/keda.sh_scaledobjects.yaml",
	}
}

var schemas = sync.OnceValues(func() (validator.Validator, error) {
	dir, err := os.MkdirTemp("", "schemas")
	if err != nil {
		return nil, err
	}
	if err := builtIn(dir); err != nil {
		return nil, err
	}
	for module, glob := range definitionModules() {
		if err := custom(dir, module, glob); err != nil {
			return nil, err
		}
	}
	return validator.New([]string{dir + "/{{.Group}}_{{.ResourceAPIVersion}}_{{.ResourceKind}}.json"}, validator.Opts{Strict: true})
})

// mustBeKubernetes holds objects to the schemas of their kinds; unknown fields are errors.
func mustBeKubernetes(t *testing.T, all map[string]object) {
	t.Helper()
	v, err := schemas()
	if err != nil {
		t.Fatal(err)
	}
	for id, o := range all {
		if o.kind() == "ExternalSecret" {
			continue // its module cannot be fetched everywhere: TestExternalSecretNamesStoreAndKeys has its fields
		}
		raw, err := yaml.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range v.Validate(id, readCloser{bytes.NewReader(raw)}) {
			if r.Status != validator.Valid {
				t.Errorf("%s: %v", id, r.Err)
			}
		}
	}
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }

// builtIn writes a schema for each kind of the Kubernetes module.
func builtIn(dir string) error {
	raw, err := os.ReadFile(filepath.Join(moduleDir(kubernetes), "api/openapi-spec/swagger.json"))
	if err != nil {
		return err
	}
	var api struct {
		Definitions map[string]map[string]any `json:"definitions"`
	}
	if err := json.Unmarshal(raw, &api); err != nil {
		return err
	}
	for _, d := range api.Definitions {
		refuseUnknown(d)
	}
	for name, d := range api.Definitions {
		kinds, _ := d["x-kubernetes-group-version-kind"].([]any)
		for _, k := range kinds {
			gvk := k.(map[string]any)
			used := map[string]any{}
			collect(api.Definitions, name, used)
			schema := map[string]any{"$ref": "#/definitions/" + name, "definitions": used}
			if err := write(dir, fmt.Sprint(gvk["group"]), fmt.Sprint(gvk["version"]), fmt.Sprint(gvk["kind"]), schema); err != nil {
				return err
			}
		}
	}
	return nil
}

// refuseUnknown refuses fields that an object type does not list; intstr and quantities take both forms.
func refuseUnknown(d map[string]any) {
	if _, typed := d["properties"]; typed && d["additionalProperties"] == nil {
		d["additionalProperties"] = false
	}
	if f := d["format"]; f == "int-or-string" {
		delete(d, "type")
		d["type"] = []any{"integer", "string"}
	}
	if desc, _ := d["description"].(string); strings.HasPrefix(desc, "Quantity is a fixed-point") {
		d["type"] = []any{"number", "string"}
	}
}

// collect gathers a definition and all that it refers to.
func collect(all map[string]map[string]any, name string, into map[string]any) {
	if into[name] != nil {
		return
	}
	into[name] = all[name]
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				collect(all, strings.TrimPrefix(ref, "#/definitions/"), into)
			}
			for _, sub := range v {
				walk(sub)
			}
		case []any:
			for _, sub := range v {
				walk(sub)
			}
		}
	}
	walk(map[string]any(all[name]))
}

// custom writes the schemas of the CRDs of a module.
func custom(dir, module, glob string) error {
	files, err := filepath.Glob(filepath.Join(moduleDir(module), glob))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("%s has no %s: %w", module, glob, err)
	}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		for _, doc := range splitYAML(string(raw)) {
			if err := definition(dir, doc); err != nil {
				return fmt.Errorf("%s: %w", f, err)
			}
		}
	}
	return nil
}

func definition(dir, doc string) error {
	var crd struct {
		Spec struct {
			Group    string
			Names    struct{ Kind string }
			Versions []struct {
				Name   string
				Schema struct{ OpenAPIV3Schema map[string]any }
			}
		}
	}
	if err := yaml.Unmarshal([]byte(doc), &crd); err != nil {
		return err
	}
	for _, v := range crd.Spec.Versions {
		refuseUnknownBelow(v.Schema.OpenAPIV3Schema)
		if err := write(dir, crd.Spec.Group, v.Name, crd.Spec.Names.Kind, v.Schema.OpenAPIV3Schema); err != nil {
			return err
		}
	}
	return nil
}

// refuseUnknownBelow refuses unknown fields at every level but metadata.
func refuseUnknownBelow(s map[string]any) {
	if s == nil {
		return
	}
	if s["x-kubernetes-int-or-string"] == true {
		s["type"] = []any{"integer", "string"}
		delete(s, "anyOf")
	}
	props, _ := s["properties"].(map[string]any)
	if props != nil && s["additionalProperties"] == nil && s["x-kubernetes-preserve-unknown-fields"] != true {
		s["additionalProperties"] = false
	}
	for _, p := range props {
		if sub, ok := p.(map[string]any); ok {
			refuseUnknownBelow(sub)
		}
	}
	for _, key := range []string{"items", "additionalProperties"} {
		if sub, ok := s[key].(map[string]any); ok {
			refuseUnknownBelow(sub)
		}
	}
	if _, top := props["apiVersion"]; top {
		props["metadata"] = map[string]any{"type": "object"}
	}
}

func write(dir, group, version, kind string, schema map[string]any) error {
	raw, err := json.Marshal(schema)
	if err != nil {
		return err
	}
	if group == "" {
		group = version // what kubeconform calls the group of an apiVersion without one
	}
	return os.WriteFile(filepath.Join(dir, strings.ToLower(fmt.Sprintf("%s_%s_%s.json", group, version, kind))), raw, 0o600)
}

// moduleDir is where the Go command keeps a module, fetched if need be.
func moduleDir(module string) string {
	cmd := exec.Command("go", "mod", "download", "-json", module)
	cmd.Dir = os.TempDir() // outside this module: what it needs is not what this one needs
	raw, err := cmd.Output()
	var m struct{ Dir, Error string }
	if jerr := json.Unmarshal(raw, &m); jerr != nil || m.Dir == "" {
		return fmt.Sprintf("cannot fetch %s: %v %s", module, err, m.Error)
	}
	return m.Dir
}
