package e2e

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/simulator"
	"github.com/chatlane/chatlane/test/harness"
	"github.com/chatlane/chatlane/test/simctl"
)

const accounts = "../../deploy/nats/accounts.conf"

// guarded is a rig whose broker has the accounts of deploy/nats, with a namespace's names if it is not empty.
func guarded(t *testing.T, namespace string) *harness.Rig {
	t.Helper()
	conf, err := os.ReadFile(accounts)
	if err != nil {
		t.Fatal(err)
	}
	if namespace != "" {
		program := regexp.MustCompile(`sed -E '([^']+)'`).FindSubmatch(conf)
		if program == nil {
			t.Fatal("the file does not say how to give it a namespace")
		}
		if conf, err = exec.CommandContext(t.Context(), "sed", "-E", strings.ReplaceAll(string(program[1]), "shop", namespace), accounts).Output(); err != nil {
			t.Fatal(err)
		}
	}
	r := harness.New(t)
	r.Guarded(string(conf),
		"CHATLANE_INGRESS_PASSWORD=in", "CHATLANE_WORKER_PASSWORD=work", "CHATLANE_OPERATOR_PASSWORD=operate",
		"CHATLANE_NAMESPACE="+namespace, "CHATLANE_NATS_USER=operator", "CHATLANE_NATS_PASSWORD=operate")
	return r
}

func as(user, password string) []string {
	return []string{"CHATLANE_NATS_USER=" + user, "CHATLANE_NATS_PASSWORD=" + password}
}

// TestProgramsNeedNoMoreThanTheirRights runs everything with the rights of deploy/nats: the broker refuses nothing.
func TestProgramsNeedNoMoreThanTheirRights(t *testing.T) {
	for _, namespace := range []string{"", "shop"} {
		for _, store := range []string{"redis", "nats"} {
			t.Run(namespace+" "+store, func(t *testing.T) { needNoMore(t, namespace, store) })
		}
	}
}

func needNoMore(t *testing.T, namespace, store string) {
	t.Helper()
	r := guarded(t, namespace)
	env := append(as("worker", "work"), "CHATLANE_STORE="+store, "CHATLANE_LIMIT_BOT=1000", "CHATLANE_MAX_ATTEMPTS=2", "CHATLANE_MIN_BACKOFF=50ms", "CHATLANE_PARK_AFTER=1ms")
	w := r.Worker(env...)
	in, hook := r.Ingress(as("ingress", "in")...)
	deliver(t, r.Telegram, simulator.WebhookConfig{Targets: []string{hook}, Secret: harness.Secret, RetryBase: 100 * time.Millisecond})
	r.Telegram.Faults(func(_ string, chat int64) simulator.Fault {
		if chat == first-1 {
			return simulator.Fault{Status: http.StatusConflict}
		}
		return simulator.Fault{}
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	unreadable(t, hook)
	r.Telegram.Say(first-1, "Ann", "/start") // parked, then a dead letter
	report, err := simctl.Tally(ctx, r.Telegram, simctl.TallyConfig{First: first, Chats: 20, Texts: 5})
	if err != nil || !report.Clean() {
		t.Errorf("not every chat got its replies: %v, %v", report, err)
	}
	harness.Eventually(t, 30*time.Second, "two dead letters", func() bool {
		return strings.Count(r.Chatlane("dead", "list"), "\n") == 2
	})
	r.Telegram.Faults(nil)
	status := r.Chatlane("status", "--store="+store)
	if !strings.Contains(status, w.Caller) && !strings.Contains(status, "UPDATES") {
		t.Errorf("status shows no worker or stream:\n%s", status)
	}
	r.Chatlane("dead", "show", "1")
	r.Chatlane("dead", "replay", "--reason=error")
	r.Chatlane("dead", "drop", "1")
	lanes(t, r, store)
	if out, _ := r.TryChatlane("check", "--store="+store); !strings.Contains(out, "num_replicas") || strings.Contains(out, "ermission") {
		t.Errorf("check: %s", out)
	}
	if running := in.Get("/scale"); !strings.Contains(running, `"running":1`) {
		t.Errorf("/scale counts no worker: %s", running)
	}
	if code := w.Stop(); code != 0 {
		t.Errorf("the worker exits with %d", code)
	}
	r.Telegram.Say(first-3, "Cid", "/start") // waits in UPDATES
	harness.Eventually(t, 30*time.Second, "lane show tells of a queued update", func() bool {
		return strings.Contains(r.Chatlane("lane", "show", "--store="+store, "--bot="+strconv.FormatInt(r.Telegram.First().ID(), 10), strconv.Itoa(first-3)), "queued")
	})
	if refused := r.NATS.LogLines("Violation"); len(refused) > 0 {
		t.Errorf("the broker refused something: %s", refused)
	}
}

// lanes has the operator look at a parked lane and free it, and read and change its state.
func lanes(t *testing.T, r *harness.Rig, store string) {
	t.Helper()
	r.Telegram.Faults(func(_ string, chat int64) simulator.Fault {
		if chat == first-2 {
			return simulator.Fault{Status: http.StatusTooManyRequests, RetryAfter: 60}
		}
		return simulator.Fault{}
	})
	r.Telegram.Say(first-2, "Bob", "/start")
	chat, bot := strconv.Itoa(first-2), "--bot="+strconv.FormatInt(r.Telegram.First().ID(), 10)
	harness.Eventually(t, 30*time.Second, "a parked lane", func() bool { return strings.Contains(r.Chatlane("lane", "list"), chat) })
	if shown := r.Chatlane("lane", "show", "--store="+store, bot, chat); !strings.Contains(shown, "parked") {
		t.Errorf("lane show tells of nothing parked:\n%s", shown)
	}
	r.Chatlane("state", "set", "--store="+store, bot, chat, "order:amount")
	if got := r.Chatlane("state", "get", "--store="+store, bot, chat); !strings.Contains(got, "order:amount") {
		t.Errorf("state get after state set:\n%s", got)
	}
	r.Chatlane("state", "clear", "--store="+store, bot, chat)
	r.Telegram.Faults(nil)
	if freed := r.Chatlane("lane", "free", chat); !strings.Contains(freed, "is free") {
		t.Errorf("lane free: %s", freed)
	}
}

// unreadable posts a body that becomes a dead letter.
func unreadable(t *testing.T, hook string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, hook, strings.NewReader("[]"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Telegram-Bot-Api-Secret-Token", harness.Secret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("an unreadable body is answered %s", resp.Status)
	}
}

// login connects as a person who has a program's password.
func login(t *testing.T, r *harness.Rig, user, password string) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(r.NATSURL(), nats.UserInfo(user, password), nats.CustomInboxPrefix(broker.Names{}.Inbox(user)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// forbidden is what would read, lose or forge updates.
var forbidden = []string{
	"parked.0.42.c:1", "dead.0.42.c:1", "dead.1.42.x:unreadable", "timers.42.c:1.t", "fired.0.42.c:1",
	"$KV.chatlane_state.x", "$KV.chatlane_limits.x", "chatlane.presence", "chatlane.lane.free.0", "_INBOX.worker.x",
	"$JS.API.STREAM.DELETE.UPDATES", "$JS.API.STREAM.PURGE.UPDATES", "$JS.API.STREAM.UPDATE.UPDATES", "$JS.API.STREAM.CREATE.OTHER",
	"$JS.API.STREAM.MSG.GET.UPDATES", "$JS.API.STREAM.MSG.DELETE.DEADLETTERS", "$JS.API.STREAM.PURGE.DEADLETTERS",
	"$JS.API.DIRECT.GET.UPDATES", "$JS.API.DIRECT.GET.UPDATES.updates.0.42.x:1", "$JS.API.STREAM.DELETE.KV_chatlane_state",
	"$JS.API.CONSUMER.CREATE.UPDATES", "$JS.API.CONSUMER.DELETE.UPDATES.p-0000", "$JS.API.CONSUMER.MSG.NEXT.UPDATES.p-0000",
	"$JS.API.CONSUMER.RESET.UPDATES.p-0000", "$JS.API.CONSUMER.UNPIN.UPDATES.p-0000",
}

// requests are the bodies without which the broker would refuse a request in any account.
var requests = map[string]string{
	"chatlane.presence":                        `{"worker":"thief"}`,
	"$JS.API.STREAM.UPDATE.UPDATES":            `{"name":"UPDATES"}`,
	"$JS.API.STREAM.CREATE.OTHER":              `{"name":"OTHER"}`,
	"$JS.API.STREAM.MSG.GET.UPDATES":           `{"seq":1}`,
	"$JS.API.STREAM.MSG.DELETE.DEADLETTERS":    `{"seq":1}`,
	"$JS.API.DIRECT.GET.UPDATES":               `{"seq":1}`,
	"$JS.API.CONSUMER.CREATE.UPDATES":          `{"stream_name":"UPDATES","config":{"ack_policy":"none"}}`,
	"$JS.API.CONSUMER.MSG.NEXT.UPDATES.p-0000": `{"batch":1,"no_wait":true,"group":"owner"}`,
	"$JS.API.CONSUMER.UNPIN.UPDATES.p-0000":    `{"group":"owner"}`,
}

// TestIngressCredentialsReachNothingElse has the password of ingress, and tries what would read, lose or forge updates:
// directly, and by having the broker send its own answer there.
func TestIngressCredentialsReachNothingElse(t *testing.T) {
	r := guarded(t, "")
	r.Worker(append(as("worker", "work"), "CHATLANE_STORE=nats")...).Stop() // the streams stand, and nobody works on them
	worker, thief := login(t, r, "worker", "work"), login(t, r, "ingress", "in")
	before := standing(t, worker)
	forged := make(chan *nats.Msg, 1000)
	for _, subject := range []string{"chatlane.presence", "chatlane.lane.free.*", "_INBOX.worker.x"} {
		if _, err := worker.ChanSubscribe(subject, forged); err != nil {
			t.Fatal(err)
		}
	}
	for _, subject := range forbidden {
		m, err := thief.Request(subject, []byte(requests[subject]), 200*time.Millisecond)
		if err == nil && !strings.Contains(string(m.Data), `"JetStream not enabled for account"`) { // of ingress
			t.Errorf("%s is answered: %s", subject, m.Data)
		}
		for _, carrier := range []string{"updates.0.42.x:1", "$JS.API.STREAM.INFO.UPDATES"} {
			if err := thief.PublishRequest(carrier, subject, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	stored := uint64(len(forbidden))
	harness.Eventually(t, 10*time.Second, "what ingress may store is stored", func() bool { return standing(t, worker)["UPDATES"].last == stored })
	after := standing(t, worker)
	for name, was := range before {
		if name == "UPDATES" {
			was.last = stored
		}
		if after[name] != was {
			t.Errorf("%s was %+v and is %+v", name, was, after[name])
		}
	}
	if err := worker.Flush(); err != nil || len(forged) > 0 {
		t.Errorf("%d messages came to a worker, the first: %+v, %v", len(forged), <-forged, err)
	}
	overhears(t, thief, worker)
}

// overhears checks that a thief who subscribes to all hears nothing that a worker publishes but presence.
func overhears(t *testing.T, thief, worker *nats.Conn) {
	t.Helper()
	heard := make(chan *nats.Msg, 1000)
	if _, err := thief.ChanSubscribe(">", heard); err != nil {
		t.Fatal(err)
	}
	if err := thief.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, subject := range []string{"updates.0.42.x:1", "parked.0.42.c:1", "dead.0.42.c:1", "$KV.chatlane_state.x", "_INBOX.operator.x", "chatlane.presence"} {
		if err := worker.Publish(subject, []byte("private")); err != nil {
			t.Fatal(err)
		}
	}
	end := time.After(10 * time.Second)
	for {
		select {
		case m := <-heard:
			if string(m.Data) != "private" {
				continue
			}
			if m.Subject == "chatlane.presence" { // the last one
				return
			}
			t.Errorf("ingress hears %s", m.Subject)
		case <-end:
			t.Fatal("ingress does not hear the workers' heartbeats")
		}
	}
}

type streamState struct {
	created time.Time
	last    uint64
}

// standing reads the streams one by one: worker's rights list no streams.
func standing(t *testing.T, nc *nats.Conn) map[string]streamState {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]streamState)
	for _, name := range []string{"UPDATES", "PARKED", "DEADLETTERS", "TIMERS", "KV_chatlane_state"} {
		s, err := js.Stream(t.Context(), name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[name] = streamState{created: s.CachedInfo().Created, last: s.CachedInfo().State.LastSeq}
	}
	return all
}
