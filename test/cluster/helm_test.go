package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	action3 "helm.sh/helm/v3/pkg/action"
	chart3 "helm.sh/helm/v3/pkg/chart/loader"
	action4 "helm.sh/helm/v4/pkg/action"
	chart4 "helm.sh/helm/v4/pkg/chart/v2/loader"
	kube4 "helm.sh/helm/v4/pkg/kube"
	release4 "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/strvals"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"
)

const (
	chartDir = "../../deploy/helm/chatlane"
	patience = time.Minute // in which an install, an upgrade and a rollback must be ready
)

// helm is one version of Helm, as its command line does things.
type helm interface {
	install(s *space, name string, set []string, wait bool) (notes string, err error)
	upgrade(s *space, name, chart string, set []string, reuse bool) error
	rollback(s *space, name string, revision int) error
	test(s *space, name string) error
	uninstall(s *space, name string) error
	String() string
}

func helms() []helm { return []helm{helm3{}, helm4{}} }

// parse reads settings as --set does. One that begins with @ is as --set-literal has it.
func parse(set []string) (map[string]any, error) {
	v := map[string]any{}
	for _, s := range append(images(), set...) {
		read := strvals.ParseInto
		if literal, ok := strings.CutPrefix(s, "@"); ok {
			s, read = literal, strvals.ParseLiteralInto
		}
		if err := read(s, v); err != nil {
			return nil, fmt.Errorf("%s: %w", s, err)
		}
	}
	return v, nil
}

// images are the values that name the images for tests.
func images() (set []string) {
	for variable, value := range map[string]string{
		"CHATLANE_TEST_REGISTRY": "image.registry", "CHATLANE_TEST_TAG": "@image.tag",
		"CHATLANE_TEST_NATS_IMAGE": "quickstart.nats.image", "CHATLANE_TEST_REDIS_IMAGE": "quickstart.redis.image",
	} {
		if v := os.Getenv(variable); v != "" {
			set = append(set, value+"="+v)
		}
	}
	return set
}

// flags are those by which Helm finds the cluster and the namespace.
func (s *space) flags() *genericclioptions.ConfigFlags {
	f := genericclioptions.NewConfigFlags(true)
	path := os.Getenv("KUBECONFIG")
	f.KubeConfig, f.Namespace = &path, &s.name
	return f.WithWrapConfigFn(func(c *rest.Config) *rest.Config {
		c.QPS, c.Burst, c.WarningHandler = s.config.QPS, s.config.Burst, s.config.WarningHandler
		return c
	})
}

type helm3 struct{}

func (helm3) String() string { return "helm 3" }

func (helm3) actions(s *space) (*action3.Configuration, error) {
	c := &action3.Configuration{}
	err := c.Init(s.flags(), s.name, "secret", func(string, ...any) {})
	return c, err
}

func (h helm3) install(s *space, name string, set []string, wait bool) (string, error) {
	cfg, err := h.actions(s)
	if err != nil {
		return "", err
	}
	v, err := parse(set)
	if err != nil {
		return "", err
	}
	c, err := chart3.LoadDir(chartDir)
	if err != nil {
		return "", err
	}
	a := action3.NewInstall(cfg)
	a.ReleaseName, a.Namespace, a.Wait, a.Timeout = name, s.name, wait, patience
	rel, err := a.Run(c, v)
	if err != nil {
		return "", err
	}
	return rel.Info.Notes, nil
}

func (h helm3) upgrade(s *space, name, chart string, set []string, reuse bool) error {
	cfg, err := h.actions(s)
	if err != nil {
		return err
	}
	v, err := parse(set)
	if err != nil {
		return err
	}
	c, err := chart3.LoadDir(chart)
	if err != nil {
		return err
	}
	a := action3.NewUpgrade(cfg)
	a.Namespace, a.ReuseValues, a.Wait, a.Timeout = s.name, reuse, true, patience
	_, err = a.Run(name, c, v)
	return err
}

func (h helm3) rollback(s *space, name string, revision int) error {
	cfg, err := h.actions(s)
	if err != nil {
		return err
	}
	a := action3.NewRollback(cfg)
	a.Version, a.Wait, a.Timeout = revision, true, patience
	return a.Run(name)
}

func (h helm3) test(s *space, name string) error {
	cfg, err := h.actions(s)
	if err != nil {
		return err
	}
	a := action3.NewReleaseTesting(cfg)
	a.Namespace, a.Timeout = s.name, patience
	_, err = a.Run(name)
	return err
}

func (h helm3) uninstall(s *space, name string) error {
	cfg, err := h.actions(s)
	if err != nil {
		return err
	}
	a := action3.NewUninstall(cfg)
	a.Timeout = patience
	_, err = a.Run(name)
	return err
}

type helm4 struct{}

func (helm4) String() string { return "helm 4" }

func (helm4) actions(s *space) (*action4.Configuration, error) {
	c := action4.NewConfiguration(action4.ConfigurationSetLogger(slog.DiscardHandler))
	err := c.Init(s.flags(), s.name, "secret")
	return c, err
}

func (h helm4) install(s *space, name string, set []string, wait bool) (string, error) {
	cfg, err := h.actions(s)
	if err != nil {
		return "", err
	}
	v, err := parse(set)
	if err != nil {
		return "", err
	}
	c, err := chart4.LoadDir(chartDir)
	if err != nil {
		return "", err
	}
	a := action4.NewInstall(cfg)
	a.ReleaseName, a.Namespace, a.Timeout, a.WaitStrategy = name, s.name, patience, kube4.HookOnlyStrategy
	if wait {
		a.WaitStrategy = kube4.StatusWatcherStrategy
	}
	rel, err := a.RunWithContext(context.Background(), c, v)
	if err != nil {
		return "", err
	}
	return rel.(*release4.Release).Info.Notes, nil
}

func (h helm4) upgrade(s *space, name, chart string, set []string, reuse bool) error {
	cfg, err := h.actions(s)
	if err != nil {
		return err
	}
	v, err := parse(set)
	if err != nil {
		return err
	}
	c, err := chart4.LoadDir(chart)
	if err != nil {
		return err
	}
	a := action4.NewUpgrade(cfg)
	a.Namespace, a.ReuseValues, a.WaitStrategy, a.Timeout = s.name, reuse, kube4.StatusWatcherStrategy, patience
	_, err = a.Run(name, c, v)
	return err
}

func (h helm4) rollback(s *space, name string, revision int) error {
	cfg, err := h.actions(s)
	if err != nil {
		return err
	}
	a := action4.NewRollback(cfg)
	a.Version, a.WaitStrategy, a.Timeout = revision, kube4.StatusWatcherStrategy, patience
	return a.Run(name)
}

func (h helm4) test(s *space, name string) error {
	cfg, err := h.actions(s)
	if err != nil {
		return err
	}
	a := action4.NewReleaseTesting(cfg)
	a.Namespace, a.Timeout = s.name, patience
	_, shutdown, err := a.Run(name)
	if shutdown != nil {
		if end := shutdown(); err == nil {
			err = end
		}
	}
	return err
}

func (h helm4) uninstall(s *space, name string) error {
	cfg, err := h.actions(s)
	if err != nil {
		return err
	}
	a := action4.NewUninstall(cfg)
	a.Timeout, a.WaitStrategy = patience, kube4.HookOnlyStrategy
	_, err = a.Run(name)
	return err
}
