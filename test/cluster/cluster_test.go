package cluster

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// cluster is the Kubernetes that KUBECONFIG points to.
type cluster struct {
	config *rest.Config
	kube   *kubernetes.Clientset
}

func connect(t *testing.T) *cluster {
	t.Helper()
	path := os.Getenv("KUBECONFIG")
	if path == "" {
		t.Skip("KUBECONFIG is not set: set it to the kubeconfig of a cluster for tests, see CONTRIBUTING.md")
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatalf("KUBECONFIG: %v", err)
	}
	config.QPS, config.Burst = 50, 100
	config.WarningHandler = rest.NoWarnings{}
	c := &cluster{config: config}
	if c.kube, err = kubernetes.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	if _, err := c.kube.Discovery().ServerVersion(); err != nil {
		t.Fatalf("the cluster of KUBECONFIG does not answer: %v", err)
	}
	return c
}

// space is a namespace for one test.
type space struct {
	*cluster
	name string
}

// restricted are the labels of a namespace that takes only pods of the restricted Pod Security Standard.
func restricted() map[string]string {
	return map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}
}

// namespace makes a namespace that ends with the test. After a failure it shows what its pods were up to.
func (c *cluster) namespace(t *testing.T, labels map[string]string) *space {
	t.Helper()
	made, err := c.kube.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "chatlane-test-", Labels: labels},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s := &space{c, made.Name}
	t.Cleanup(func() { s.end(t) })
	return s
}

func (s *space) end(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	defer cancel()
	if t.Failed() {
		t.Log(s.state(ctx))
	}
	if err := s.kube.CoreV1().Namespaces().Delete(ctx, s.name, metav1.DeleteOptions{}); err != nil {
		t.Errorf("namespace %s stays: %v", s.name, err)
	}
}

// secret makes a Secret.
func (s *space) secret(t *testing.T, name string, data map[string]string) {
	t.Helper()
	_, err := s.kube.CoreV1().Secrets(s.name).Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, StringData: data}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// eventually polls until done says yes, or fails the test with what it last said.
func eventually(t *testing.T, within time.Duration, what string, done func(context.Context) (bool, string)) time.Duration {
	t.Helper()
	took, err := await(t.Context(), within, what, done)
	if err != nil {
		t.Fatal(err)
	}
	return took
}

func await(ctx context.Context, within time.Duration, what string, done func(context.Context) (bool, string)) (time.Duration, error) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	every := time.NewTicker(250 * time.Millisecond)
	defer every.Stop()
	last := "nothing was seen"
	for {
		ok, now := done(ctx)
		if ok {
			return time.Since(began), nil
		}
		if ctx.Err() == nil {
			last = now
		}
		select {
		case <-ctx.Done():
			return time.Since(began), fmt.Errorf("%s: not within %v: %s", what, within, last)
		case <-every.C:
		}
	}
}

// ready waits until all that the namespace runs is there and ready.
func (s *space) ready(ctx context.Context, within time.Duration) (time.Duration, error) {
	return await(ctx, within, "pods ready", func(ctx context.Context) (bool, string) {
		missing, err := s.missing(ctx)
		if err != nil {
			return false, err.Error()
		}
		return len(missing) == 0, strings.Join(missing, "; ")
	})
}

// missing are the workloads that are not as their specs want them.
func (s *space) missing(ctx context.Context) (out []string, err error) {
	deployments, err := s.kube.AppsV1().Deployments(s.name).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, d := range deployments.Items {
		if !rolledOut(&d) {
			out = append(out, fmt.Sprintf("%s has %d of %d pods, %d of them new", d.Name, d.Status.AvailableReplicas, want(d.Spec.Replicas), d.Status.UpdatedReplicas))
		}
	}
	sets, err := s.kube.AppsV1().StatefulSets(s.name).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, d := range sets.Items {
		if n := want(d.Spec.Replicas); d.Status.ObservedGeneration < d.Generation || d.Status.ReadyReplicas != n {
			out = append(out, fmt.Sprintf("%s has %d of %d pods", d.Name, d.Status.ReadyReplicas, n))
		}
	}
	if len(deployments.Items) == 0 {
		out = append(out, "there is no Deployment")
	}
	return out, nil
}

func want(replicas *int32) int32 {
	if replicas == nil {
		return 1
	}
	return *replicas
}

func rolledOut(d *appsv1.Deployment) bool {
	n := want(d.Spec.Replicas)
	return d.Status.ObservedGeneration >= d.Generation && d.Status.UpdatedReplicas == n && d.Status.AvailableReplicas == n && d.Status.Replicas == n
}

func (s *space) pods(ctx context.Context, component string) ([]corev1.Pod, error) {
	o := metav1.ListOptions{}
	if component != "" {
		o.LabelSelector = "app.kubernetes.io/component=" + component
	}
	list, err := s.kube.CoreV1().Pods(s.name).List(ctx, o)
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

// state is what the pods of the namespace say, for the log of a failed test.
func (s *space) state(ctx context.Context) string {
	var b strings.Builder
	pods, err := s.pods(ctx, "")
	fmt.Fprintf(&b, "namespace %s, %v:\n", s.name, err)
	for _, p := range pods {
		fmt.Fprintf(&b, "- %s %s: %s\n%s", p.Name, p.Status.Phase, waits(&p), s.logs(ctx, p.Name))
	}
	events, err := s.kube.CoreV1().Events(s.name).List(ctx, metav1.ListOptions{FieldSelector: "type=Warning"})
	if err != nil {
		fmt.Fprintf(&b, "no events: %v\n", err)
		return b.String()
	}
	for _, e := range events.Items {
		fmt.Fprintf(&b, "! %s %s: %s\n", e.InvolvedObject.Name, e.Reason, e.Message)
	}
	return b.String()
}

// waits says why a pod's containers do not run.
func waits(p *corev1.Pod) string {
	var out []string
	for _, c := range p.Status.ContainerStatuses {
		switch {
		case c.State.Waiting != nil:
			out = append(out, c.State.Waiting.Reason+" "+c.State.Waiting.Message)
		case c.State.Terminated != nil:
			out = append(out, fmt.Sprintf("ended with %d", c.State.Terminated.ExitCode))
		case c.RestartCount > 0:
			out = append(out, fmt.Sprintf("restarted %d times", c.RestartCount))
		}
	}
	return strings.Join(out, ", ")
}

func (s *space) logs(ctx context.Context, pod string) string {
	tail := int64(15)
	r, err := s.kube.CoreV1().Pods(s.name).GetLogs(pod, &corev1.PodLogOptions{TailLines: &tail}).Stream(ctx)
	if err != nil {
		return "    no log: " + err.Error() + "\n"
	}
	defer func() { _ = r.Close() }()
	raw, err := io.ReadAll(io.LimitReader(r, 20_000))
	if err != nil {
		return "    no log: " + err.Error() + "\n"
	}
	return "    " + strings.ReplaceAll(strings.TrimSpace(string(raw)), "\n", "\n    ") + "\n"
}
