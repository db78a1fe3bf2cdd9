// Package e2e runs the real programs, as the README's second section starts them.
package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/simulator"
	"github.com/chatlane/chatlane/test/harness"
	"github.com/chatlane/chatlane/test/simctl"
)

const first = 500_001

// deliver runs the simulated webhook sender until the test ends.
func deliver(t *testing.T, tg *simulator.Telegram, cfg simulator.WebhookConfig) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); tg.Deliver(ctx, cfg) }()
	t.Cleanup(func() { stop(); <-done })
}

func TestEveryChatIsAnsweredOnceInOrder(t *testing.T) {
	const chats, texts = 300, 20
	r := harness.New(t)
	_, a := r.Ingress()
	_, b := r.Ingress()
	for range 3 {
		r.Worker()
	}
	deliver(t, r.Telegram, simulator.WebhookConfig{Targets: []string{a, b}, Secret: harness.Secret, Twice: 0.05, Seed: 1, RetryBase: 100 * time.Millisecond})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	report, err := simctl.Tally(ctx, r.Telegram, simctl.TallyConfig{First: first, Chats: chats, Texts: texts})
	if err != nil {
		t.Errorf("not every chat got its replies: %v", err)
	}
	t.Logf("%v; sent: %+v", report, r.Telegram.First().Sent())
	if !report.Clean() || report.Excused+report.Window != 0 {
		t.Error(report)
	}
	if sent := r.Telegram.First().Sent(); sent.Copies == 0 {
		t.Errorf("no update was sent twice: %+v", sent)
	}
	nothingLeft(t, r)
}

func TestConversationGoesOnAfterARestartOfEverything(t *testing.T) {
	for _, store := range []string{"redis", "nats"} {
		t.Run(store, func(t *testing.T) { restartEverything(t, "CHATLANE_STORE="+store) })
	}
}

func restartEverything(t *testing.T, store string) {
	t.Helper()
	r := harness.New(t)
	in, hook := r.Ingress()
	w := r.Worker(store)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	say := func(hook, text string, replies int) {
		t.Helper()
		sending, stop := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() {
			defer close(done)
			r.Telegram.Deliver(sending, simulator.WebhookConfig{Targets: []string{hook}, Secret: harness.Secret, RetryBase: 100 * time.Millisecond})
		}()
		r.Telegram.Say(first, "Ann", text)
		if err := r.Telegram.Await(ctx, func(c []simulator.Call) bool { return len(c) >= replies }); err != nil {
			t.Fatalf("no reply to %q: %v", text, err)
		}
		stop()
		<-done
	}
	say(hook, "/start", 1)
	if code := w.Stop(); code != 0 {
		t.Errorf("worker exits with %d", code)
	}
	if code := in.Stop(); code != 0 {
		t.Errorf("ingress exits with %d", code)
	}
	r.Redis.Restart()
	r.NATS.Kill()
	r.StartNATS()
	_, hook = r.Ingress()
	r.Worker(store)
	say(hook, "Ann", 2)
	say(hook, "29", 3)
	calls := r.Telegram.Calls()
	if got, want := calls[2].Text, "Nice to meet you, Ann, 29 years old."; got != want {
		t.Errorf("after the restart: %q, want %q", got, want)
	}
}

// nothingLeft checks law 5 after a run without failures: every accepted update is committed.
func nothingLeft(t *testing.T, r *harness.Rig) {
	t.Helper()
	c, err := broker.Connect(t.Context(), broker.Config{URL: r.NATSURL()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	harness.Eventually(t, 10*time.Second, "nothing queued", func() bool {
		d, err := c.Depth(t.Context())
		return err == nil && d.Queued+d.Parked == 0
	})
	if d, err := c.Depth(t.Context()); err != nil || d.Dead != 0 {
		t.Errorf("dead letters: %d, %v", d.Dead, err)
	}
}
