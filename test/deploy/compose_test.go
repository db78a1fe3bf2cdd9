package deploy

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// compose loads docker-compose.yml as docker compose does.
func compose(t *testing.T, environ []string, profiles ...string) *types.Project {
	t.Helper()
	o, err := cli.NewProjectOptions([]string{"../../docker-compose.yml"}, cli.WithEnv(environ), cli.WithProfiles(profiles), cli.WithInterpolation(true))
	if err != nil {
		t.Fatal(err)
	}
	p, err := o.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestComposeRunsWithoutATokenOrAFile(t *testing.T) {
	names := compose(t, nil).ServiceNames()
	slices.Sort(names)
	want := []string{"grafana", "ingress", "jaeger", "nats", "prometheus", "redis", "worker"}
	if !slices.Equal(names, want) {
		t.Errorf("%v, want %v", names, want)
	}
	if !slices.Contains(compose(t, nil, "demo").ServiceNames(), "telegram") {
		t.Error("profile demo has no simulated Telegram")
	}
}

func TestComposeServicesAreHardened(t *testing.T) {
	for name, s := range compose(t, nil, "demo", "tools").Services {
		if !s.ReadOnly || !slices.Contains(s.CapDrop, "ALL") || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") || s.Privileged {
			t.Errorf("%s is not hardened", name)
		}
		if name == "chatlane" {
			continue // a tool, run by hand
		}
		if s.HealthCheck == nil || len(s.HealthCheck.Test) == 0 {
			t.Errorf("%s has no health check", name)
		}
		if s.MemLimit == 0 {
			t.Errorf("%s has no memory limit", name)
		}
		if s.ContainerName != "" {
			t.Errorf("%s has a fixed name and cannot be scaled", name)
		}
		for _, p := range s.Ports {
			if p.HostIP != "127.0.0.1" {
				t.Errorf("%s is reachable from outside on port %s", name, p.Published)
			}
		}
	}
}

// --scale worker=4 works: two containers cannot have one port of the host.
func TestComposeWorkersHaveNoPort(t *testing.T) {
	w := compose(t, nil).Services["worker"]
	if len(w.Ports) > 0 || w.Scale == nil || *w.Scale != 2 {
		t.Errorf("ports %v, scale %v", w.Ports, w.Scale)
	}
}

func TestComposeImagesArePinned(t *testing.T) {
	pinned := regexp.MustCompile(`:v?\d+\.\d+(\.\d+)?(-\w+)?$`)
	for name, s := range compose(t, nil, "demo").Services {
		if s.Build == nil && !pinned.MatchString(s.Image) {
			t.Errorf("%s: image %q has no version", name, s.Image)
		}
	}
}

func TestComposeKeepsWhatMustNotBeLost(t *testing.T) {
	p := compose(t, nil)
	redis := strings.Join(p.Services["redis"].Command, " ")
	if !strings.Contains(redis, "--appendonly yes") || !strings.Contains(redis, "--maxmemory-policy noeviction") {
		t.Errorf("redis runs with %q", redis)
	}
	for _, name := range []string{"nats", "redis"} {
		if v := p.Services[name].Volumes; len(v) == 0 || v[0].Type != types.VolumeTypeVolume {
			t.Errorf("%s keeps nothing: %v", name, v)
		}
	}
}

func TestComposeGivesProgramsTimeToStop(t *testing.T) {
	for _, name := range []string{"ingress", "worker"} {
		if g := compose(t, nil).Services[name].StopGracePeriod; g == nil || time.Duration(*g) < 30*time.Second {
			t.Errorf("%s has %v to stop, want more than its own 25 s", name, g)
		}
	}
}

// Every file that the compose file mounts is in the repository.
func TestComposeMountsFilesThatExist(t *testing.T) {
	for name, s := range compose(t, nil, "demo").Services {
		for _, v := range s.Volumes {
			if v.Type != types.VolumeTypeBind {
				continue
			}
			if found, err := filepath.Glob(filepath.Join(v.Source, "*")); err != nil || len(found) == 0 {
				t.Errorf("%s mounts %s, which is empty", name, v.Source)
			}
		}
	}
	if _, err := os.Stat("../../.env.example"); err != nil {
		t.Error(err)
	}
}

// Docker refuses to start a service with a read-only root and a config whose content is in the compose file.
func TestComposeConfigsAreFiles(t *testing.T) {
	p := compose(t, nil, "demo")
	for name, c := range p.Configs {
		if _, err := os.Stat(c.File); c.Content != "" || err != nil {
			t.Errorf("config %s: content in place, file %q: %v", name, c.File, err)
		}
	}
	for name, s := range p.Services {
		for _, c := range s.Configs {
			if _, ok := p.Configs[c.Source]; !ok {
				t.Errorf("%s: there is no config %s", name, c.Source)
			}
		}
	}
}
