package cluster

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	token  = "123456789:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	secret = "s3cret"
)

// way is one way of installing.
type way struct {
	release string                       // "bots" unless set
	open    bool                         // into a namespace that takes any pod, else only restricted ones
	secrets map[string]map[string]string // that exist before
	set     []string
}

// small has one pod each, for a small machine.
func small(set ...string) []string {
	return append([]string{"ingress.replicas=1", "worker.replicas=1"}, set...)
}

func inline(set ...string) []string {
	return append([]string{"bot.token=" + token, "bot.webhookSecret=" + secret, "quickstart.enabled=true"}, set...)
}

func botSecret() map[string]string {
	return map[string]string{"token": token, "webhook-secret": secret}
}

const twoBots = "- {token: \"123456789:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\", secrets: [one]}\n- {token: \"223456789:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\", secrets: [two]}\n"

func ways() map[string]way {
	return map[string]way{
		"defaults":                     {set: inline()},
		"defaults, any pods":           {set: inline(), open: true},
		"a release named as the chart": {release: "chatlane", set: small(inline()...)},
		"a long name":                  {release: strings.Repeat("a", 53), set: small(inline()...)},
		"secret that exists":           {secrets: map[string]map[string]string{"mine": botSecret()}, set: small("bot.existingSecret=mine", "quickstart.enabled=true")},
		"secret with keys of its own": {
			secrets: map[string]map[string]string{"mine": {"t": token, "w": secret}},
			set:     small("bot.existingSecret=mine", "bot.tokenKey=t", "bot.webhookSecretKey=w", "quickstart.enabled=true"),
		},
		"bots in a secret": {
			secrets: map[string]map[string]string{"mine": {"list": twoBots}},
			set:     small("bot.existingSecret=mine", "bot.fileKey=list", "quickstart.enabled=true"),
		},
		"bots in values": {set: small("@bot.file="+twoBots, "quickstart.enabled=true")},
		"state in NATS":  {set: small(inline("store=nats")...)},
		"everything on": {set: small(inline("ingress.autoscaling.enabled=true", "ingress.autoscaling.minReplicas=1", "worker.autoscaling.type=hpa", "worker.autoscaling.minReplicas=1",
			"networkPolicy.egress.enabled=true", "tracing.endpoint=http://collector:4318", "labels.team=bots", "annotations.owner=me", "monitoring.dashboards=true",
			"ingress.service.trafficDistribution=PreferSameZone", "namespace=blue", "ingress.ingress.enabled=true", "ingress.ingress.hosts={bot.example.com}", "partitions=16",
			"env.CHATLANE_LOG_LEVEL=debug", "worker.env.GOMAXPROCS=2")...)},
	}
}

// record keeps how long each install took until it was ready.
type record struct {
	mu   sync.Mutex
	took []time.Duration
	text []string
}

func (r *record) add(t *testing.T, took time.Duration) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.took = append(r.took, took)
	r.text = append(r.text, fmt.Sprintf("%6.1fs %s", took.Seconds(), t.Name()))
	t.Logf("ready after %.1fs", took.Seconds())
}

func (r *record) String() string {
	slices.Sort(r.took)
	if len(r.took) == 0 {
		return "no installs"
	}
	return fmt.Sprintf("%d installs, ready after %.1fs at best, %.1fs in the middle, %.1fs at worst:\n%s", len(r.took),
		r.took[0].Seconds(), r.took[len(r.took)/2].Seconds(), r.took[len(r.took)-1].Seconds(), strings.Join(r.text, "\n"))
}

func TestEveryWayOfInstallingIsReadyWithinAMinuteAndLeavesNothing(t *testing.T) {
	c, r := connect(t), &record{}
	for _, name := range slices.Sorted(maps.Keys(ways())) {
		for i, h := range helms() {
			w := ways()[name]
			// Each way once with --wait and once without, and all of them by both Helms over the whole.
			wait := (len(name)+i)%2 == 0
			t.Run(fmt.Sprintf("%s, %s, wait %v", name, h, wait), func(t *testing.T) { w.try(t, c, h, wait, r) })
		}
	}
	t.Log(r)
}

func (w way) try(t *testing.T, c *cluster, h helm, wait bool, r *record) {
	t.Helper()
	labels := restricted()
	if w.open {
		labels = nil
	}
	s := c.namespace(t, labels)
	for name, data := range w.secrets {
		s.secret(t, name, data)
	}
	if w.release == "" {
		w.release = "bots"
	}
	before, err := s.everything(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r.add(t, s.mustInstall(t, h, w.release, w.set, wait))
	if err := h.test(s, w.release); err != nil {
		t.Errorf("helm test: %v", err)
	}
	if err := h.uninstall(s, w.release); err != nil {
		t.Fatal(err)
	}
	s.nothingLeft(t, before)
}

// mustInstall installs and gives the time until all pods were ready.
func (s *space) mustInstall(t *testing.T, h helm, release string, set []string, wait bool) time.Duration {
	t.Helper()
	began := time.Now()
	if _, err := h.install(s, release, set, wait); err != nil {
		t.Fatalf("install: %v", err)
	}
	if wait {
		if missing, err := s.missing(t.Context()); err != nil || len(missing) > 0 {
			t.Errorf("install --wait returned too early: %v, %v", missing, err)
		}
	}
	if _, err := s.ready(t.Context(), patience-time.Since(began)); err != nil {
		t.Fatal(err)
	}
	return time.Since(began)
}

// Two releases in one Kubernetes namespace: each with servers of its own, then on the same ones.
func TestTwoReleasesShareANamespace(t *testing.T) {
	c, r := connect(t), &record{}
	for _, h := range helms() {
		t.Run(h.String(), func(t *testing.T) {
			s := c.namespace(t, restricted())
			before, err := s.everything(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			r.add(t, s.mustInstall(t, h, "one", small(inline()...), true))
			r.add(t, s.mustInstall(t, h, "two", small(inline()...), false))
			r.add(t, s.mustInstall(t, h, "three", small("bot.token="+token, "bot.webhookSecret="+secret, "namespace=three",
				"nats.url=nats://one-chatlane-nats:4222", "redis.url=redis://one-chatlane-redis:6379/0"), true))
			for _, name := range []string{"three", "two"} {
				if err := h.uninstall(s, name); err != nil {
					t.Fatal(err)
				}
			}
			if err := h.test(s, "one"); err != nil {
				t.Errorf("the release that stays: %v", err)
			}
			if err := h.uninstall(s, "one"); err != nil {
				t.Fatal(err)
			}
			s.nothingLeft(t, before)
		})
	}
	t.Log(r)
}

// A Secret that does not exist yet holds the pods up, which say its name; they start by themselves
// once it is there.
func TestPodsWaitForASecretAndSayItsName(t *testing.T) {
	c, r := connect(t), &record{}
	for _, h := range helms() {
		t.Run(h.String(), func(t *testing.T) {
			s := c.namespace(t, restricted())
			notes, err := h.install(s, "bots", small("bot.existingSecret=not-there", "quickstart.enabled=true"), false)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(notes, "bot.existingSecret") || !strings.Contains(notes, "not-there") {
				t.Errorf("the notes do not name bot.existingSecret and the Secret:\n%s", notes)
			}
			for _, component := range []string{"ingress", "worker"} {
				eventually(t, patience, component+" says what it waits for", func(ctx context.Context) (bool, string) {
					pods, err := s.pods(ctx, component)
					if err != nil || len(pods) == 0 {
						return false, fmt.Sprint(err, " no pods")
					}
					why := waits(&pods[0])
					return strings.Contains(why, `secret "not-there" not found`), why
				})
			}
			began := time.Now()
			s.secret(t, "not-there", botSecret())
			if _, err := s.ready(t.Context(), patience); err != nil {
				t.Fatal(err)
			}
			r.add(t, time.Since(began))
		})
	}
	t.Log(r)
}

// What cannot work is refused before anything is made, and the message names the value.
func TestRefusedInstallsNameTheValueAndMakeNothing(t *testing.T) {
	c := connect(t)
	s := c.namespace(t, restricted())
	before, err := s.everything(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for want, set := range map[string][]string{
		"bot.existingSecret": {"quickstart.enabled=true"},
		"bot.webhookSecret":  {"quickstart.enabled=true", "bot.token=" + token},
		"nats.url":           {"bot.existingSecret=mine", "redis.url=redis://redis:6379/0"},
		"redis.url":          {"bot.existingSecret=mine", "nats.url=nats://nats:4222"},
		"streamReplicas":     inline("streamReplicas=3"),
		"replica":            inline("worker.replica=2"),
		"webhook.url":        inline("webhook.register=true"),
	} {
		for _, h := range helms() {
			if _, err := h.install(s, "bots", set, false); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want an error that names %s", h, err, want)
			}
		}
	}
	s.nothingLeft(t, before)
}

// A server that is not there: pods run and are not ready, and their log names the variable.
func TestPodsSayWhichServerIsMissing(t *testing.T) {
	c := connect(t)
	s := c.namespace(t, restricted())
	if _, err := (helm4{}).install(s, "bots", small("bot.token="+token, "bot.webhookSecret="+secret, "nats.url=nats://nowhere.invalid:4222", "redis.url=redis://nowhere.invalid:6379/0"), false); err != nil {
		t.Fatal(err)
	}
	for _, component := range []string{"ingress", "worker"} {
		eventually(t, patience, component+" says what is missing", func(ctx context.Context) (bool, string) {
			pods, err := s.pods(ctx, component)
			if err != nil || len(pods) == 0 {
				return false, fmt.Sprint(err, " no pods")
			}
			log := s.logs(ctx, pods[0].Name)
			return strings.Contains(log, "CHATLANE_NATS_URL"), log
		})
	}
}
