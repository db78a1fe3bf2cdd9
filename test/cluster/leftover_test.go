package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// nothingLeft waits until the namespace holds only what it held before an install.
func (s *space) nothingLeft(t *testing.T, before []string) {
	t.Helper()
	eventually(t, 90*time.Second, "uninstalled", func(ctx context.Context) (bool, string) {
		now, err := s.everything(ctx)
		if err != nil {
			return false, err.Error()
		}
		left := slices.DeleteFunc(now, func(o string) bool { return slices.Contains(before, o) })
		return len(left) == 0, strings.Join(left, ", ")
	})
}

// everything lists all objects of the namespace as kind/name, but for records of what happened and what
// Kubernetes puts into every namespace, soon after it was made.
func (s *space) everything(ctx context.Context) (all []string, err error) {
	lists, err := s.kube.Discovery().ServerPreferredNamespacedResources()
	if err != nil {
		return nil, err
	}
	d, err := dynamic.NewForConfig(s.config)
	if err != nil {
		return nil, err
	}
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, r := range list.APIResources {
			if !slices.Contains(r.Verbs, "list") || !slices.Contains(r.Verbs, "create") || r.Kind == "Event" {
				continue
			}
			found, err := d.Resource(gv.WithResource(r.Name)).Namespace(s.name).List(ctx, metav1.ListOptions{})
			if err != nil {
				return nil, fmt.Errorf("%s: %w", r.Name, err)
			}
			for _, o := range found.Items {
				if name := r.Kind + "/" + o.GetName(); name != "ServiceAccount/default" && name != "ConfigMap/kube-root-ca.crt" {
					all = append(all, name)
				}
			}
		}
	}
	slices.Sort(all)
	return all, nil
}
