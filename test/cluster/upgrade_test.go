package cluster

import (
	"os"
	"path/filepath"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// former makes a chart with the values of an older version, to upgrade from.
func former(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(chartDir)); err != nil {
		t.Fatal(err)
	}
	older, err := filepath.Glob("../deploy/testdata/values-*.yaml")
	if err != nil || len(older) == 0 {
		t.Fatalf("no values of an older chart: %v", err)
	}
	raw, err := os.ReadFile(older[0])
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "values.yaml"), raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// replaced tells that pods of a component are others than before.
func (s *space) names(t *testing.T, component string) map[string]bool {
	t.Helper()
	pods, err := s.pods(t.Context(), component)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, p := range pods {
		if p.DeletionTimestamp == nil {
			names[p.Name] = true
		}
	}
	return names
}

func TestUpgradesAndRollbacksEndReady(t *testing.T) {
	c, r := connect(t), &record{}
	for _, h := range helms() {
		t.Run(h.String(), func(t *testing.T) {
			s := c.namespace(t, restricted())
			before, err := s.everything(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			r.add(t, s.mustInstall(t, h, "bots", small(inline()...), true))
			if err := h.upgrade(s, "bots", former(t), small(inline()...), false); err != nil {
				t.Fatalf("to the values of an older chart: %v", err)
			}
			was := s.names(t, "worker")
			if err := h.upgrade(s, "bots", chartDir, []string{"worker.env.CHATLANE_LOG_LEVEL=debug", "worker.replicas=2"}, true); err != nil {
				t.Fatalf("upgrade --reuse-values: %v", err)
			}
			if now := s.names(t, "worker"); len(now) != 2 || overlap(was, now) {
				t.Errorf("workers after another setting: %v, before %v", now, was)
			}
			kept := s.names(t, "ingress")
			if err := h.rollback(s, "bots", 1); err != nil {
				t.Fatalf("rollback: %v", err)
			}
			if now := s.names(t, "worker"); len(now) != 1 {
				t.Errorf("workers after the rollback: %v", now)
			}
			if now := s.names(t, "ingress"); !overlap(kept, now) {
				t.Errorf("ingress was restarted by a setting of workers: %v, before %v", now, kept)
			}
			d, err := s.kube.AppsV1().Deployments(s.name).Get(t.Context(), "bots-chatlane-worker", metav1.GetOptions{})
			if err != nil || !rolledOut(d) {
				t.Errorf("%v, %+v", err, d.Status)
			}
			if err := h.test(s, "bots"); err != nil {
				t.Errorf("helm test: %v", err)
			}
			if err := h.uninstall(s, "bots"); err != nil {
				t.Fatal(err)
			}
			s.nothingLeft(t, before)
		})
	}
	t.Log(r)
}

func overlap(a, b map[string]bool) bool {
	for name := range a {
		if b[name] {
			return true
		}
	}
	return false
}
