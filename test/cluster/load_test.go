package cluster

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/chatlane/chatlane/internal/simulator"
)

// rise is by how much an operation may raise the 99th percentile of answer times.
const rise = 500 * time.Millisecond

// operation is what a person does to a release that works.
type operation struct {
	name string
	do   func(*testing.T, *space, *traffic)
}

func operations() []operation {
	return []operation{
		{"nothing", func(*testing.T, *space, *traffic) {}},
		{"rollout restart of both", func(t *testing.T, s *space, _ *traffic) {
			s.restart(t, "load-chatlane-ingress")
			s.restart(t, "load-chatlane-worker")
			s.mustBeReady(t)
		}},
		{"workers 3 to 2", func(t *testing.T, s *space, _ *traffic) { s.scale(t, 2) }},
		{"workers 2 to 6", func(t *testing.T, s *space, _ *traffic) { s.scale(t, 6) }},
		{"workers 6 to 1", func(t *testing.T, s *space, _ *traffic) { s.scale(t, 1) }},
		{"workers 1 to 3", func(t *testing.T, s *space, _ *traffic) { s.scale(t, 3) }},
		{"a worker deleted without grace", deleteNow},
		{"node drained", drain},
		{"upgrade", func(t *testing.T, s *space, _ *traffic) {
			set := []string{"env.CHATLANE_LOG_LEVEL=debug"}
			if tag := os.Getenv("CHATLANE_TEST_OTHER_TAG"); tag != "" {
				set = append(set, "@image.tag="+tag)
			}
			if err := (helm4{}).upgrade(s, "load", chartDir, set, true); err != nil {
				t.Fatal(err)
			}
		}},
		{"rollback", func(t *testing.T, s *space, _ *traffic) {
			if err := (helm4{}).rollback(s, "load", 1); err != nil {
				t.Fatal(err)
			}
		}},
	}
}

// Two ingresses and three workers under load, and what operators do all day.
func TestOperationsUnderLoadLoseRepeatAndReorderNothing(t *testing.T) {
	c := connect(t)
	s := c.namespace(t, restricted())
	tr := c.telegram(t)
	s.mustInstall(t, helm4{}, "load", inline("ingress.replicas=2", "worker.replicas=3", "botApiUrl="+tr.url, "ingress.service.type=NodePort",
		"env.CHATLANE_LIMIT_BOT=0", "env.CHATLANE_LIMIT_CHAT=0"), true)
	tr.deliver(s, "load")
	tr.begin(60, time.Second)
	wait(t.Context(), 15*time.Second) // connections are open, caches are warm
	usual := time.Duration(0)
	for _, o := range operations() {
		from := time.Now()
		o.do(t, s, tr)
		took := time.Since(from)
		wait(t.Context(), 15*time.Second) // its consequences
		to := time.Now()
		wait(t.Context(), 2*time.Second) // replies to what was said last
		times := tr.times(from, to)
		now := p99(times)
		if usual == 0 {
			usual = now
		}
		t.Logf("%-32s took %5.1fs, %5d replies, p99 %v, longest %v", o.name, took.Seconds(), len(times), now.Round(time.Millisecond), times[len(times)-1].Round(time.Millisecond))
		if now > usual+rise {
			t.Errorf("%s: p99 of the answer rose from %v to %v, more than %v", o.name, usual, now, rise)
		}
	}
	report := tr.end(2 * time.Minute)
	t.Log(report)
	if !report.Clean() {
		t.Errorf("%s\n%s", report, strings.Join(report.Details, "\n"))
	}
	for i, n := range report.Windows {
		if n > 1 {
			t.Errorf("%d calls were repeated after deletion %d, want at most one: that whose answer had not been noted", n, i+1)
		}
	}
}

func (s *space) mustBeReady(t *testing.T) {
	t.Helper()
	if _, err := s.ready(t.Context(), 3*patience); err != nil {
		t.Fatal(err)
	}
}

// restart does what kubectl rollout restart does.
func (s *space) restart(t *testing.T, deployment string) {
	t.Helper()
	patch := fmt.Sprintf(`{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":%q}}}}}`, time.Now().Format(time.RFC3339Nano))
	if _, err := s.kube.AppsV1().Deployments(s.name).Patch(t.Context(), deployment, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (s *space) scale(t *testing.T, workers int32) {
	t.Helper()
	if err := s.setScale(t.Context(), "load-chatlane-worker", workers); err != nil {
		t.Fatal(err)
	}
	s.mustBeReady(t)
}

func (s *space) setScale(ctx context.Context, deployment string, replicas int32) error {
	patch := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas)
	_, err := s.kube.AppsV1().Deployments(s.name).Patch(ctx, deployment, types.MergePatchType, patch, metav1.PatchOptions{}, "scale")
	return err
}

// deleteNow deletes a worker's pod with a grace of 0 s. Its last calls may be unnoted.
func deleteNow(t *testing.T, s *space, tr *traffic) {
	t.Helper()
	pods, err := s.pods(t.Context(), "worker")
	if err != nil || len(pods) == 0 {
		t.Fatal(err, "no worker")
	}
	now := int64(0)
	if err := s.kube.CoreV1().Pods(s.name).Delete(t.Context(), pods[0].Name, metav1.DeleteOptions{GracePeriodSeconds: &now}); err != nil {
		t.Fatal(err)
	}
	tr.telegram.Stopped(pods[0].Status.PodIP, func(simulator.Call) bool { return false })
	s.mustBeReady(t)
}

// drain evicts all pods of ingress and workers as kubectl drain does: again while a
// PodDisruptionBudget forbids it. The node stays open, since it may be the only one.
func drain(t *testing.T, s *space, _ *traffic) {
	t.Helper()
	refused := 0
	for _, component := range []string{"ingress", "worker"} {
		pods, err := s.pods(t.Context(), component)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range pods {
			eventually(t, 3*time.Minute, "evict "+p.Name, func(ctx context.Context) (bool, string) {
				err := s.kube.PolicyV1().Evictions(s.name).Evict(ctx, &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: p.Name, Namespace: s.name}})
				if apierrors.IsTooManyRequests(err) {
					refused++
				}
				return err == nil || apierrors.IsNotFound(err), fmt.Sprint(err)
			})
		}
	}
	s.mustBeReady(t)
	if refused == 0 {
		t.Error("no budget delayed an eviction: all pods could have gone at once")
	}
}
