package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// busy makes two turns a worker the most at once, and calls slow, so that one worker is too few.
func busy(tr *traffic, set ...string) []string {
	tr.slow(100 * time.Millisecond)
	return inline(append([]string{
		"ingress.replicas=1", "botApiUrl=" + tr.url, "ingress.service.type=NodePort", "env.CHATLANE_LIMIT_BOT=0", "env.CHATLANE_LIMIT_CHAT=0",
		"worker.env.CHATLANE_CONCURRENCY=2", "ingress.env.CHATLANE_SCALE_AGE=2s",
	}, set...)...)
}

// autoscaler does to a Deployment what KEDA's metrics-api trigger does with /scale: as many pods as
// it wants, between two bounds.
func (s *space) autoscaler(ctx context.Context, t *testing.T, deployment string, least, most int32) {
	every := time.NewTicker(3 * time.Second)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		raw, err := s.get(ctx, "bots-chatlane-ingress-admin", "9090", "/scale")
		if err != nil {
			continue // KEDA keeps the number, too
		}
		var scale struct{ Workers int32 }
		if err := json.Unmarshal(raw, &scale); err != nil {
			t.Errorf("/scale answers %q: %v", raw, err)
			return
		}
		if err := s.setScale(ctx, deployment, min(max(scale.Workers, least), most)); err != nil && ctx.Err() == nil {
			t.Error(err)
			return
		}
	}
}

func (s *space) replicas(ctx context.Context, deployment string) (wanted, ready int32, err error) {
	d, err := s.kube.AppsV1().Deployments(s.name).Get(ctx, deployment, metav1.GetOptions{})
	if err != nil {
		return 0, 0, err
	}
	return want(d.Spec.Replicas), d.Status.ReadyReplicas, nil
}

// The signal of /scale brings workers when updates wait and takes them away when none do, and no
// reply is lost, repeated or out of order meanwhile.
func TestScaleSignalScalesWorkersOutAndIn(t *testing.T) {
	c := connect(t)
	s := c.namespace(t, restricted())
	tr := c.telegram(t)
	s.mustInstall(t, helm4{}, "bots", busy(tr, "worker.replicas=1"), true)
	ctx, stop := context.WithCancel(t.Context())
	var scaling sync.WaitGroup
	scaling.Go(func() { s.autoscaler(ctx, t, "bots-chatlane-worker", 1, 6) })
	defer func() { stop(); scaling.Wait() }()
	s.outAndIn(t, tr, 40, 1, 3)
}

// outAndIn sends more than the workers can answer until there are enough of them, then nothing until
// they are gone.
func (s *space) outAndIn(t *testing.T, tr *traffic, chats int, least, enough int32) {
	t.Helper()
	const deployment = "bots-chatlane-worker"
	at := func(done func(wanted, ready int32) bool) func(context.Context) (bool, string) {
		return func(ctx context.Context) (bool, string) {
			wanted, ready, err := s.replicas(ctx, deployment)
			return err == nil && done(wanted, ready), fmt.Sprintf("%d wanted, %d ready, %v", wanted, ready, err)
		}
	}
	tr.deliver(s, "bots")
	tr.begin(chats, time.Second)
	out := eventually(t, 4*time.Minute, "scaled out", at(func(_, ready int32) bool { return ready >= enough }))
	report := tr.end(3 * time.Minute)
	in := eventually(t, 6*time.Minute, "scaled in", at(func(wanted, ready int32) bool { return wanted == least && ready == least }))
	t.Logf("%d workers after %.0fs of load, %d again %.0fs after its end; %v", enough, out.Seconds(), least, in.Seconds(), report)
	if !report.Clean() {
		t.Error(report)
	}
}

// has tells whether the cluster serves a group of its API.
func (c *cluster) has(t *testing.T, group string) bool {
	t.Helper()
	groups, err := c.kube.Discovery().ServerGroups()
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups.Groups {
		if g.Name == group {
			return true
		}
	}
	return false
}

// quick is a behavior that does not wait five minutes before it scales in.
func quick(at string) []string {
	return []string{
		at + ".behavior.scaleDown.stabilizationWindowSeconds=5",
		at + ".behavior.scaleDown.policies[0].type=Pods", at + ".behavior.scaleDown.policies[0].value=2", at + ".behavior.scaleDown.policies[0].periodSeconds=10",
	}
}

func TestProcessorTimeScalesOutAndIn(t *testing.T) {
	c := connect(t)
	if !c.has(t, "metrics.k8s.io") {
		t.Skip("the cluster has no metrics-server: a HorizontalPodAutoscaler has nothing to go by")
	}
	s := c.namespace(t, restricted())
	tr := c.telegram(t)
	// A worker without work takes about 60m, so that the last step, to one, is never taken.
	set := append(busy(tr, "worker.autoscaling.type=hpa", "worker.autoscaling.minReplicas=2", "worker.autoscaling.maxReplicas=4", "worker.autoscaling.targetCPU=60",
		"worker.resources.requests.cpu=150m", "worker.env.CHATLANE_CONCURRENCY=16"), quick("worker.autoscaling")...)
	s.mustInstall(t, helm4{}, "bots", set, true)
	s.outAndIn(t, tr, 100, 2, 3)
}

func TestKEDAScalesOutAndIn(t *testing.T) {
	c := connect(t)
	if !c.has(t, "keda.sh") || !c.has(t, "metrics.k8s.io") {
		t.Skip("the cluster has no KEDA or no metrics-server, which worker.autoscaling.type=keda needs")
	}
	s := c.namespace(t, restricted())
	tr := c.telegram(t)
	set := append(busy(tr, "worker.autoscaling.type=keda", "worker.autoscaling.minReplicas=1", "worker.autoscaling.maxReplicas=6", "worker.autoscaling.targetCPU=1000",
		"worker.autoscaling.pollingInterval=5", "networkPolicy.enabled=false"), quick("worker.autoscaling")...)
	s.mustInstall(t, helm4{}, "bots", set, true)
	s.outAndIn(t, tr, 40, 1, 3)
}
