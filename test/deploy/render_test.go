package deploy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	chart3 "helm.sh/helm/v3/pkg/chart/loader"
	util3 "helm.sh/helm/v3/pkg/chartutil"
	engine3 "helm.sh/helm/v3/pkg/engine"
	common4 "helm.sh/helm/v4/pkg/chart/common"
	util4 "helm.sh/helm/v4/pkg/chart/common/util"
	chart4 "helm.sh/helm/v4/pkg/chart/v2/loader"
	engine4 "helm.sh/helm/v4/pkg/engine"
	"sigs.k8s.io/yaml"
)

const (
	chartDir = "../../deploy/helm/chatlane"
	token    = "123456789:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)

// values are a chart's values, as a user writes them.
type values map[string]any

// with sets one value by its dotted name in a copy.
func (v values) with(name string, to any) values {
	out := values(deepCopy(v))
	at := map[string]any(out)
	parts := strings.Split(name, ".")
	for _, p := range parts[:len(parts)-1] {
		next, ok := at[p].(map[string]any)
		if !ok {
			next = map[string]any{}
			at[p] = next
		}
		at = next
	}
	at[parts[len(parts)-1]] = to
	return out
}

func deepCopy(m map[string]any) map[string]any {
	out := maps.Clone(m)
	for k, v := range out {
		if sub, ok := v.(map[string]any); ok {
			out[k] = deepCopy(sub)
		}
	}
	return out
}

// least are the fewest values that install.
func least() values {
	return values{}.with("bot.existingSecret", "bot").with("nats.url", "nats://nats:4222").with("redis.url", "redis://redis:6379/0")
}

// release is what one install is called.
type release struct{ name, namespace string }

// render runs the chart through Helm 3 and Helm 4, which must agree.
func render(t *testing.T, v values, in ...release) map[string]string {
	t.Helper()
	files, err := tryRender(v, in...)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func tryRender(v values, in ...release) (map[string]string, error) {
	rel := release{"prod", "bots"}
	if len(in) > 0 {
		rel = in[0]
	}
	three, err3 := render3(v, rel)
	four, err4 := render4(v, rel)
	if (err3 == nil) != (err4 == nil) {
		return nil, fmt.Errorf("Helm 3: %w; Helm 4: %w", err3, err4)
	}
	if err3 != nil {
		return nil, err3
	}
	if diff := cmp.Diff(three, four); diff != "" {
		return nil, fmt.Errorf("Helm 3 and 4 render different objects (-3 +4):\n%s", diff)
	}
	return three, nil
}

func render3(v values, rel release) (map[string]string, error) {
	c, err := chart3.LoadDir(chartDir)
	if err != nil {
		return nil, err
	}
	all, err := util3.ToRenderValues(c, deepCopy(v), util3.ReleaseOptions{Name: rel.name, Namespace: rel.namespace, IsInstall: true}, util3.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	return engine3.Render(c, all)
}

func render4(v values, rel release) (map[string]string, error) {
	c, err := chart4.LoadDir(chartDir)
	if err != nil {
		return nil, err
	}
	all, err := util4.ToRenderValues(c, deepCopy(v), common4.ReleaseOptions{Name: rel.name, Namespace: rel.namespace, IsInstall: true}, common4.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	return engine4.Render(c, all)
}

// object is one rendered Kubernetes object.
type object map[string]any

func (o object) kind() string { return o.text("kind") }
func (o object) name() string { return o.text("metadata", "name") }

// at follows keys and list indices down.
func (o object) at(path ...any) any {
	var at any = map[string]any(o)
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := at.(map[string]any)
			at = m[p]
		case int:
			l, _ := at.([]any)
			if p >= len(l) {
				return nil
			}
			at = l[p]
		}
	}
	return at
}

func (o object) text(path ...any) string { s, _ := o.at(path...).(string); return s }

// objects are all that kubectl would apply, by kind and name; notes and tests too if asked.
func objects(t *testing.T, files map[string]string) map[string]object {
	t.Helper()
	all := map[string]object{}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		if strings.HasSuffix(path, "NOTES.txt") {
			continue
		}
		for _, o := range documents(t, path, files[path]) {
			id := o.kind() + "/" + o.name()
			if all[id] != nil {
				t.Errorf("%s is rendered twice", id)
			}
			all[id] = o
		}
	}
	return all
}

func documents(t *testing.T, path, text string) (all []object) {
	t.Helper()
	for _, doc := range splitYAML(text) {
		var o object
		if err := yaml.UnmarshalStrict([]byte(doc), &o); err != nil {
			t.Fatalf("%s: %v\n%s", path, err, doc)
		}
		if len(o) > 0 {
			all = append(all, o)
		}
	}
	return all
}

func splitYAML(text string) (docs []string) {
	for doc := range strings.SplitSeq("\n"+text, "\n---") {
		if strings.TrimSpace(doc) != "" {
			docs = append(docs, doc)
		}
	}
	return docs
}

// env gives a container's environment by name; a name twice is an error, since Helm 4
// applies on the server's side, and that refuses it.
func env(t *testing.T, deployment object) map[string]any {
	t.Helper()
	found := map[string]any{}
	list, _ := deployment.at("spec", "template", "spec", "containers", 0, "env").([]any)
	for _, e := range list {
		e := object(e.(map[string]any))
		if _, twice := found[e.text("name")]; twice {
			t.Errorf("%s is in the environment twice", e.text("name"))
		}
		if e["valueFrom"] != nil {
			found[e.text("name")] = e["valueFrom"]
		} else {
			found[e.text("name")] = e.text("value")
		}
	}
	return found
}
