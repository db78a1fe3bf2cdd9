package deploy

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	lint3 "helm.sh/helm/v3/pkg/lint"
	support3 "helm.sh/helm/v3/pkg/lint/support"
	lint4 "helm.sh/helm/v4/pkg/chart/v2/lint"
	support4 "helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"sigs.k8s.io/yaml"
)

// matrix are ways in which people install.
func matrix() map[string]values {
	inline := values{}.with("bot.token", token).with("bot.webhookSecret", "s3cret").with("quickstart.enabled", true)
	all := least().
		with("monitoring", map[string]any{"monitors": true, "rules": true, "dashboards": true, "labels": map[string]any{"release": "kps"}}).
		with("webhook", map[string]any{"register": true, "url": "https://bot.example.com", "allowedUpdates": []any{"message", "callback_query"}}).
		with("ingress.httpRoute", map[string]any{"enabled": true, "parentRefs": []any{map[string]any{"name": "public"}}, "hostnames": []any{"bot.example.com"}}).
		with("ingress.ingress", map[string]any{"enabled": true, "hosts": []any{"bot.example.com"}, "tlsSecret": "cert", "className": "nginx"}).
		with("ingress.autoscaling.enabled", true).with("worker.autoscaling.type", "keda").with("networkPolicy.adminFrom", keda()).
		with("networkPolicy.egress.enabled", true).with("tracing.endpoint", "http://collector:4318").
		with("image.pullSecrets", []any{"pull"}).with("labels", map[string]any{"team": "bots"}).with("annotations", map[string]any{"a": "b"}).
		with("ingress.service.trafficDistribution", "PreferSameZone").with("namespace", "blue")
	return map[string]values{
		"least":           least(),
		"inline":          inline,
		"persistent":      inline.with("quickstart.persistence", map[string]any{"enabled": true, "storageClass": "fast"}),
		"everything":      all,
		"hpa":             least().with("worker.autoscaling.type", "hpa"),
		"state in NATS":   values{}.with("bot.existingSecret", "b").with("nats.url", "nats://nats:4222").with("store", "nats"),
		"several bots":    least().with("bot.fileKey", "bots.yaml"),
		"bots in values":  inline.with("bot.token", "").with("bot.webhookSecret", "").with("bot.file", "- token_env: A\n"),
		"secret URLs":     values{}.with("bot.existingSecret", "b").with("nats.existingSecret", "n").with("redis.existingSecret", "r"),
		"NATS with TLS":   least().with("nats.credentialsSecret", "creds").with("nats.tlsSecret", "tls").with("nats.clientCertificate", true),
		"external secret": least().with("bot", map[string]any{"externalSecret": map[string]any{"enabled": true, "storeName": "vault", "token": map[string]any{"key": "bot", "property": "token"}, "webhookSecret": map[string]any{"key": "bot", "property": "secret"}}}),
		"polling":         values{}.with("bot.token", token).with("quickstart.enabled", true).with("env", map[string]any{"CHATLANE_POLLING": "true"}),
		"one of each":     inline.with("ingress.replicas", 1).with("worker.replicas", 1),
		"no policies":     least().with("networkPolicy.enabled", false).with("ingress.podDisruptionBudget.enabled", false).with("worker.podDisruptionBudget.enabled", false).with("serviceAccount.create", false),
		"placement": least().with("worker.nodeSelector", map[string]any{"pool": "bots"}).with("worker.tolerations", []any{map[string]any{"operator": "Exists"}}).
			with("worker.extraVolumes", []any{map[string]any{"name": "x", "emptyDir": map[string]any{}}}).with("worker.extraVolumeMounts", []any{map[string]any{"name": "x", "mountPath": "/x"}}).
			with("worker.extraContainers", []any{map[string]any{"name": "side", "image": "side:1"}}).with("worker.image.repository", "registry.example.com/mybot").with("worker.image.tag", "v1"),
	}
}

// keda are the peers that ask from the namespace of KEDA.
func keda() []any {
	return []any{map[string]any{"namespaceSelector": map[string]any{"matchLabels": map[string]any{"kubernetes.io/metadata.name": "keda"}}}}
}

func TestEveryWayOfInstallingIsValidKubernetes(t *testing.T) {
	for name, v := range matrix() {
		t.Run(name, func(t *testing.T) { mustBeKubernetes(t, objects(t, render(t, v))) })
	}
}

func TestLintHasNothingToSay(t *testing.T) {
	for name, v := range matrix() {
		for _, m := range lint3.All(chartDir, v, "bots", true).Messages {
			if m.Severity > support3.InfoSev {
				t.Errorf("%s: Helm 3: %v", name, m)
			}
		}
		for _, m := range lint4.RunAll(chartDir, v, "bots").Messages {
			if m.Severity > support4.InfoSev {
				t.Errorf("%s: Helm 4: %v", name, m)
			}
		}
	}
}

// A wrong value stops the install, and the message names the value and what would be right.
func TestWrongValuesNameTheValueToSet(t *testing.T) {
	for want, v := range map[string]values{
		"set bot.existingSecret":                         least().with("bot.existingSecret", ""),
		"bot is set more than once":                      least().with("bot.token", token),
		"as BotFather gave it":                           least().with("bot.existingSecret", "").with("bot.token", "123"),
		"bot.webhookSecret: set 1 to 256":                least().with("bot.existingSecret", "").with("bot.token", token),
		"such as nats://nats.nats:4222":                  least().with("nats.url", ""),
		"nats.existingSecret: the address is set twice":  least().with("nats.existingSecret", "n"),
		"redis.url: set the address":                     least().with("redis.url", ""),
		"redis.existingSecret: the address is set twice": least().with("redis.existingSecret", "n"),
		"webhook.url: set the public address":            least().with("webhook.register", true),
		"Telegram does one or the other":                 least().with("webhook", map[string]any{"register": true, "url": "https://x"}).with("ingress.env", map[string]any{"CHATLANE_POLLING": "true"}),
		"ingress.httpRoute.parentRefs: name the Gateway": least().with("ingress.httpRoute.enabled", true),
		"ingress.ingress.hosts: set the host names":      least().with("ingress.ingress.enabled", true),
		"worker.autoscaling.maxReplicas: more workers":   least().with("worker.autoscaling.maxReplicas", 65),
		"worker.autoscaling.minReplicas: set at most":    least().with("worker.autoscaling.minReplicas", 17),
		"streamReplicas: the quickstart's NATS":          least().with("quickstart.enabled", true).with("streamReplicas", 3),
		"adminFrom: KEDA asks":                           least().with("worker.autoscaling.type", "keda"),
		"adminFrom: Prometheus asks":                     least().with("monitoring.monitors", true),
		"nats.tlsSecret: set the Secret":                 least().with("nats.clientCertificate", true),
		"bot.fileKey: it names a key":                    least().with("bot.existingSecret", "").with("bot.token", token).with("bot.webhookSecret", "s").with("bot.fileKey", "k"),
		"env.CHATLANE_BOT_TOKEN: a secret in plain text": least().with("worker.env", map[string]any{"CHATLANE_BOT_TOKEN": token}),
		"externalSecret.storeName":                       least().with("bot", map[string]any{"externalSecret": map[string]any{"enabled": true}}),
		// by the schema
		"/store":                   least().with("store", "sqlite"),
		"/worker/autoscaling/type": least().with("worker.autoscaling.type", "cpu"),
		"additional properties 'replica' not allowed": least().with("worker.replica", 3),
		"/partitions": least().with("partitions", 0),
		"/nats/url":   least().with("nats.url", "nats:4222"),
	} {
		_, err := tryRender(v)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v\nwant an error that contains %q", err, want)
		}
		if err != nil && strings.Contains(err.Error(), "AAAAAAAA") {
			t.Errorf("the token is in the error: %v", err)
		}
	}
}

func TestPodsPassRestrictedPodSecurity(t *testing.T) {
	for name, v := range matrix() {
		for id, o := range objects(t, render(t, v)) {
			spec := o.at("spec", "template", "spec")
			if o.kind() == "Pod" {
				spec = o.at("spec")
			}
			if spec == nil || strings.HasPrefix(id, "ScaledObject") {
				continue
			}
			pod := object(spec.(map[string]any))
			if pod.at("securityContext", "runAsNonRoot") != true || pod.text("securityContext", "seccompProfile", "type") != "RuntimeDefault" || pod.at("automountServiceAccountToken") != false {
				t.Errorf("%s: %s is not restricted: %v", name, id, pod["securityContext"])
			}
			c := object(pod.at("containers", 0).(map[string]any))
			want := map[string]any{"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": map[string]any{"drop": []any{"ALL"}}}
			if diff := cmp.Diff(want, c["securityContext"]); diff != "" {
				t.Errorf("%s: %s:\n%s", name, id, diff)
			}
		}
	}
}

// A probe that asked NATS or Redis would restart all pods at once when one of these is away.
func TestOnlyReadinessAsksTheServers(t *testing.T) {
	all := objects(t, render(t, least()))
	for _, name := range []string{"Deployment/prod-chatlane-ingress", "Deployment/prod-chatlane-worker"} {
		c := object(all[name].at("spec", "template", "spec", "containers", 0).(map[string]any))
		for probe, path := range map[string]string{"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"} {
			if got := c.text(probe, "httpGet", "path"); got != path {
				t.Errorf("%s: %s asks %q, want %q", name, probe, got, path)
			}
		}
	}
}

// The pod ends by itself before Kubernetes kills it: sleep, drain and hand-over fit.
func TestGracePeriodHoldsSleepAndDrain(t *testing.T) {
	for id, o := range objects(t, render(t, least())) {
		if o.kind() != "Deployment" {
			continue
		}
		grace, _ := o.at("spec", "template", "spec", "terminationGracePeriodSeconds").(float64)
		sleep, _ := o.at("spec", "template", "spec", "containers", 0, "lifecycle", "preStop", "sleep", "seconds").(float64)
		if program := 25.0; grace < sleep+program+5 {
			t.Errorf("%s: %v s of grace, want more than %v s of sleep and %v s of the program's own", id, grace, sleep, program)
		}
	}
}

func TestScalersExcludeEachOtherAndReplicas(t *testing.T) {
	for kind, want := range map[string]string{"none": "", "hpa": "HorizontalPodAutoscaler", "keda": "ScaledObject"} {
		all := objects(t, render(t, least().with("worker.autoscaling.type", kind).with("networkPolicy.adminFrom", keda())))
		for _, scaler := range []string{"HorizontalPodAutoscaler", "ScaledObject"} {
			if got := all[scaler+"/prod-chatlane-worker"] != nil; got != (scaler == want) {
				t.Errorf("%s: %s is there: %v", kind, scaler, got)
			}
		}
		if fixed := all["Deployment/prod-chatlane-worker"].at("spec", "replicas") != nil; fixed != (want == "") {
			t.Errorf("%s: replicas are set: %v", kind, fixed)
		}
	}
}

func TestScaledObjectAsksIngressForTheWorkersWanted(t *testing.T) {
	o := objects(t, render(t, least().with("worker.autoscaling.type", "keda").with("networkPolicy.adminFrom", keda())))["ScaledObject/prod-chatlane-worker"]
	want := map[string]any{"url": "http://prod-chatlane-ingress-admin.bots.svc:9090/scale", "valueLocation": "workers", "targetValue": "1"}
	if diff := cmp.Diff(want, o.at("spec", "triggers", 0, "metadata")); diff != "" {
		t.Error(diff)
	}
}

// Two releases, also in one namespace, own different objects; their pods are told apart.
func TestTwoReleasesDoNotMeet(t *testing.T) {
	v := matrix()["everything"]
	one := objects(t, render(t, v, release{"one", "bots"}))
	two := objects(t, render(t, v, release{"two", "bots"}))
	for id := range one {
		if two[id] != nil {
			t.Errorf("both have %s", id)
		}
	}
	sel := func(o object) any { return o.at("spec", "selector", "matchLabels") }
	if cmp.Equal(sel(one["Deployment/one-chatlane-worker"]), sel(two["Deployment/two-chatlane-worker"])) {
		t.Error("both select the same pods")
	}
}

// Selectors cannot be changed in an upgrade: they hold nothing that a version or a value changes.
func TestSelectorsNeverChange(t *testing.T) {
	want := map[string]any{"app.kubernetes.io/name": "chatlane", "app.kubernetes.io/instance": "prod", "app.kubernetes.io/component": "worker"}
	for name, v := range matrix() {
		got := objects(t, render(t, v))["Deployment/prod-chatlane-worker"].at("spec", "selector", "matchLabels")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestNoHookButTheTest(t *testing.T) {
	for name, v := range matrix() {
		for id, o := range objects(t, render(t, v)) {
			hook := o.text("metadata", "annotations", "helm.sh/hook")
			if o.kind() == "CustomResourceDefinition" || hook != "" && hook != "test" {
				t.Errorf("%s: %s has hook %q", name, id, hook)
			}
		}
	}
}

// Token and secret are in a Secret alone, and pods read them from there.
func TestSecretsAreOnlyInSecrets(t *testing.T) {
	files := render(t, matrix()["inline"])
	for path, text := range files {
		if strings.Contains(text, token) || strings.Contains(text, "s3cret") {
			t.Errorf("%s shows a secret", path)
		}
	}
	all := objects(t, files)
	if all["Secret/prod-chatlane-bot"] == nil {
		t.Fatal("there is no Secret of the bot")
	}
	want := map[string]any{"secretKeyRef": map[string]any{"name": "prod-chatlane-bot", "key": "token"}}
	if diff := cmp.Diff(want, env(t, all["Deployment/prod-chatlane-worker"])["CHATLANE_BOT_TOKEN"]); diff != "" {
		t.Error(diff)
	}
}

// What the user sets wins over what the chart sets, and is there once.
func TestUsersEnvironmentWins(t *testing.T) {
	v := least().with("env", map[string]any{"CHATLANE_LOG_LEVEL": "debug", "CHATLANE_PARTITIONS": 8}).with("worker.env", map[string]any{"CHATLANE_LOG_LEVEL": "error", "GOMEMLIMIT": "1GiB"})
	all := objects(t, render(t, v))
	ingress, worker := env(t, all["Deployment/prod-chatlane-ingress"]), env(t, all["Deployment/prod-chatlane-worker"])
	got := []any{ingress["CHATLANE_LOG_LEVEL"], worker["CHATLANE_LOG_LEVEL"], worker["CHATLANE_PARTITIONS"], worker["GOMEMLIMIT"], ingress["GOMEMLIMIT"]}
	if diff := cmp.Diff([]any{"debug", "error", "8", "1GiB", "230MiB"}, got); diff != "" {
		t.Error(diff)
	}
}

// A changed setting or secret restarts the pods; the same values do not.
func TestChangedSecretsRestartPods(t *testing.T) {
	sum := func(v values) string {
		return objects(t, render(t, v))["Deployment/prod-chatlane-worker"].text("spec", "template", "metadata", "annotations", "checksum/config")
	}
	v := matrix()["inline"]
	first, again, other := sum(v), sum(v), sum(v.with("bot.webhookSecret", "other"))
	if first != again || first == other {
		t.Errorf("checksums %s and %s of the same values, %s with another secret", first, again, other)
	}
}

// An upgrade with --reuse-values has the values of the chart before, without the maps that came since.
func TestUpgradeWithReusedValuesOfAnOlderChart(t *testing.T) {
	old, err := filepath.Glob("testdata/values-*.yaml")
	if err != nil || len(old) == 0 {
		t.Fatalf("no values of an older chart: %v", err)
	}
	for _, path := range old {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var v values
		if err := yaml.Unmarshal(raw, &v); err != nil {
			t.Fatal(err)
		}
		mustBeKubernetes(t, objects(t, render(t, v.with("bot.existingSecret", "bot").with("nats.url", "nats://n:4222").with("redis.url", "redis://r:6379"))))
	}
}

func TestDisruptionBudgetNeedsTwoPods(t *testing.T) {
	all := objects(t, render(t, matrix()["one of each"]))
	for id := range all {
		if strings.HasPrefix(id, "PodDisruptionBudget/") {
			t.Errorf("%s would forbid every drain of its node", id)
		}
	}
	if objects(t, render(t, least()))["PodDisruptionBudget/prod-chatlane-worker"] == nil {
		t.Error("several workers have no budget")
	}
}

func TestNotesSayWhatToDoNext(t *testing.T) {
	for name, want := range map[string]string{
		"least": "webhook.register=true", "inline": "NOT FOR PRODUCTION", "polling": "there is no webhook to set",
		"everything": "sets the webhook at Telegram", "one of each": "worker.replicas is 1",
		"several bots": "Secret bot (bot.existingSecret) with the key bots.yaml.", "secret URLs": "Secret r (redis.existingSecret) with the key url.",
	} {
		notes := render(t, matrix()[name])["chatlane/templates/NOTES.txt"]
		if !strings.Contains(notes, want) {
			t.Errorf("%s: the notes do not say %q:\n%s", name, want, notes)
		}
	}
}

func TestMatrixCoversEveryTemplate(t *testing.T) {
	used := map[string]bool{}
	for _, v := range matrix() {
		for path, text := range render(t, v) {
			used[path] = used[path] || strings.TrimSpace(text) != ""
		}
	}
	for _, path := range slices.Sorted(maps.Keys(used)) {
		if !used[path] {
			t.Errorf("no case of the matrix renders %s", path)
		}
	}
}

func TestExternalSecretNamesStoreAndKeys(t *testing.T) {
	o := objects(t, render(t, matrix()["external secret"]))["ExternalSecret/prod-chatlane-bot"]
	want := map[string]any{
		"refreshInterval": "1h", "secretStoreRef": map[string]any{"name": "vault", "kind": "SecretStore"}, "target": map[string]any{"name": "prod-chatlane-bot"},
		"data": []any{
			map[string]any{"secretKey": "token", "remoteRef": map[string]any{"key": "bot", "property": "token"}},
			map[string]any{"secretKey": "webhook-secret", "remoteRef": map[string]any{"key": "bot", "property": "secret"}},
		},
	}
	if diff := cmp.Diff(want, o.at("spec")); diff != "" {
		t.Error(diff)
	}
}

// The servers' images have entrypoints of their own, which take arguments and may take no program.
func TestServersGetArgumentsAlone(t *testing.T) {
	for id, o := range objects(t, render(t, matrix()["inline"])) {
		if arg := o.text("spec", "template", "spec", "containers", 0, "args", 0); o.kind() == "StatefulSet" && !strings.HasPrefix(arg, "-") {
			t.Errorf("%s: the first argument is %q, want an option", id, arg)
		}
	}
	for _, name := range []string{"nats", "redis"} {
		if first := compose(t, nil).Services[name].Command[0]; !strings.HasPrefix(first, "-") {
			t.Errorf("compose: %s: the first argument is %q, want an option", name, first)
		}
	}
}

// Kubernetes names a Service or a label with up to 63 characters, and hangs 11 on a StatefulSet's
// name for a label of its pods.
func TestNamesOfALongReleaseFit(t *testing.T) {
	for id, o := range objects(t, render(t, matrix()["inline"], release{strings.Repeat("a", 53), "bots"})) {
		most := 63
		if o.kind() == "StatefulSet" {
			most = 52
		}
		if len(o.name()) > most {
			t.Errorf("%s has %d characters, want %d at most", id, len(o.name()), most)
		}
	}
}

// helm test asks the admin port, from a pod of the release.
func TestPolicyLetsTheReleaseAskItself(t *testing.T) {
	for name, v := range matrix() {
		for id, o := range objects(t, render(t, v)) {
			if o.kind() != "NetworkPolicy" {
				continue
			}
			rules, _ := o.at("spec", "ingress").([]any)
			admin := object(rules[len(rules)-1].(map[string]any))
			own := map[string]any{"podSelector": map[string]any{"matchLabels": map[string]any{"app.kubernetes.io/instance": "prod"}}}
			peers, _ := admin.at("from").([]any)
			if !slices.ContainsFunc(peers, func(p any) bool { return cmp.Equal(p, any(own)) }) {
				t.Errorf("%s: %s lets only %v ask", name, id, peers)
			}
		}
	}
}

// A Service's address may refuse connections just after a rollout.
func TestHelmTestAsksAgain(t *testing.T) {
	args, _ := objects(t, render(t, least()))["Pod/prod-chatlane-test"].at("spec", "containers", 0, "args").([]any)
	if !slices.Contains(args, any("--within=30s")) {
		t.Errorf("helm test runs %v", args)
	}
}
