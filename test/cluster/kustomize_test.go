package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

const overlays = "../../deploy/k8s/overlays"

// The dev overlay is all that a first try needs, in a namespace of its own.
func TestTheDevOverlayIsReadyWithinAMinute(t *testing.T) {
	c, r := connect(t), &record{}
	s := &space{c, fmt.Sprintf("chatlane-test-%d", time.Now().UnixNano()%1_000_000)}
	began := time.Now()
	t.Cleanup(func() { s.end(t) })
	s.apply(t, overlay(t, "dev", s.name))
	if _, err := s.ready(t.Context(), patience); err != nil {
		t.Fatal(err)
	}
	r.add(t, time.Since(began))
	s.apply(t, overlay(t, "dev", s.name)) // again: nothing changes
	if _, err := s.ready(t.Context(), patience); err != nil {
		t.Fatal(err)
	}
	t.Log(r)
}

// overlay is one in another namespace and with the images for tests.
func overlay(t *testing.T, name, namespace string) string {
	t.Helper()
	from, err := filepath.Abs(filepath.Join(overlays, name))
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if from, err = filepath.Rel(dir, from); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "namespace: %s\nresources: [%q]\nimages:\n", namespace, from)
	image := func(was, now, tag string) {
		fmt.Fprintf(&b, "- name: %s\n", was)
		if now != "" {
			fmt.Fprintf(&b, "  newName: %s\n", now)
		}
		if tag != "" {
			fmt.Fprintf(&b, "  newTag: %q\n", tag)
		}
	}
	for _, program := range []string{"ingress", "worker"} {
		now := ""
		if registry := os.Getenv("CHATLANE_TEST_REGISTRY"); registry != "" {
			now = registry + "/" + program
		}
		image("ghcr.io/chatlane/"+program, now, os.Getenv("CHATLANE_TEST_TAG"))
	}
	for was, variable := range map[string]string{"docker.io/library/nats": "CHATLANE_TEST_NATS_IMAGE", "docker.io/library/redis": "CHATLANE_TEST_REDIS_IMAGE"} {
		now, tag, _ := strings.Cut(os.Getenv(variable), ":")
		image(was, now, tag)
	}
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// apply does what kubectl apply -k --server-side does.
func (s *space) apply(t *testing.T, folder string) {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		t.Fatal(err)
	}
	d, err := dynamic.NewForConfig(s.config)
	if err != nil {
		t.Fatal(err)
	}
	kinds := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(s.kube.Discovery()))
	for _, r := range built.Resources() {
		content, err := r.Map()
		if err != nil {
			t.Fatal(err)
		}
		o := &unstructured.Unstructured{Object: content}
		kind := o.GroupVersionKind()
		m, err := kinds.RESTMapping(kind.GroupKind(), kind.Version)
		if err != nil {
			t.Fatal(err)
		}
		var at dynamic.ResourceInterface = d.Resource(m.Resource)
		if m.Scope.Name() == meta.RESTScopeNameNamespace {
			at = d.Resource(m.Resource).Namespace(o.GetNamespace())
		}
		if _, err := at.Apply(t.Context(), o.GetName(), o, metav1.ApplyOptions{FieldManager: "chatlane-test"}); err != nil {
			t.Fatalf("apply %s %s: %v", o.GetKind(), o.GetName(), err)
		}
	}
}
