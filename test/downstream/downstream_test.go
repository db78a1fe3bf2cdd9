// Package downstream puts Chatlane before bots that are written with published releases of
// other frameworks.
package downstream

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/simulator"
	"github.com/chatlane/chatlane/test/harness"
)

const (
	chats = 50
	each  = 6 // messages of a chat, and as many pressed buttons
)

func TestMain(m *testing.M) { os.Exit(harness.RunLong(m, false)) }

// A bot that keeps a count in its framework's session counts wrong when Telegram
// delivers to it directly, because messages and callbacks of one chat come at the same
// time. Behind Chatlane each count is exact.
func TestSessionsOfExistingBotsAreExactBehindForwarding(t *testing.T) {
	needNode(t)
	r := harness.New(t)
	_, ingress := r.Ingress()
	api := httptest.NewServer(r.Telegram)
	t.Cleanup(api.Close)
	for i, framework := range []string{"grammy", "telegraf"} {
		t.Run(framework, func(t *testing.T) {
			e := startExisting(t, framework, api.URL)
			direct := load{rig: r, bot: e, first: int64(1_000_000 * (i + 1)), webhook: e.URL, secret: secret}
			directly := direct.run(t)
			w := r.Worker("CHATLANE_FORWARD_URL="+e.URL, "CHATLANE_FORWARD_SECRET="+secret)
			forwarded := load{rig: r, bot: e, first: direct.first + chats, webhook: ingress, secret: harness.Secret}
			behind := forwarded.run(t)
			inAnswers := map[string]float64{"grammy": 0, "telegraf": chats * each}[framework]
			if n := w.Metric(t, "chatlane_forward_replies_total", `outcome="called"`); n != inAnswers {
				t.Errorf("%v calls came in answers, want %v", n, inAnswers)
			}
			if code := w.Stop(); code != 0 {
				t.Errorf("worker exits with %d", code)
			}
			t.Logf("%s, %d updates in %d chats: directly %d lost (%v), behind Chatlane %d lost (%v)",
				framework, 2*each*chats, chats, directly.lost, directly.took, behind.lost, behind.took)
			if behind.lost != 0 || behind.wrong != 0 {
				t.Errorf("behind Chatlane: %+v", behind)
			}
			if directly.lost == 0 {
				t.Error("taken directly nothing is lost: this load shows nothing")
			}
			forwarded.checkAnswers(t)
		})
	}
}

// load is the traffic of some chats to one webhook.
type load struct {
	rig             *harness.Rig
	bot             *existing
	first           int64
	webhook, secret string
	from            int // number of calls that were made before
}

// result compares the sessions in the end with what was sent.
type result struct {
	lost  int // updates that no session has counted
	wrong int // chats whose count is off, in either direction
	took  time.Duration
}

// run sends each chat's messages and pressed buttons at once, and waits until all are handled.
func (l *load) run(t *testing.T) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	tg := l.rig.Telegram
	l.from = len(tg.Calls())
	for n := range each {
		for c := range int64(chats) {
			p := tg.Person(l.first+c, "Ann")
			m := p.Say("text " + strconv.Itoa(n))
			p.Press(m.ID, "button "+strconv.Itoa(n))
		}
	}
	delivered := make(chan struct{})
	sending, stop := context.WithCancel(ctx)
	began := time.Now()
	go func() {
		defer close(delivered)
		tg.Deliver(sending, simulator.WebhookConfig{URL: l.webhook, Secret: l.secret, RetryBase: 100 * time.Millisecond})
	}()
	err := tg.Idle(ctx)
	stop()
	<-delivered
	if err != nil {
		t.Fatalf("not everything was delivered: %v", err)
	}
	awaitNothingQueued(t, l.rig)
	return l.count(t, time.Since(began).Round(time.Millisecond))
}

// count adds the counts of all sessions up.
func (l *load) count(t *testing.T, took time.Duration) result {
	t.Helper()
	r := result{took: took}
	for c := range int64(chats) {
		var session struct{ Count int }
		if err := json.Unmarshal([]byte(l.bot.store.find(strconv.FormatInt(l.first+c, 10))), &session); err != nil {
			t.Errorf("session of chat %d: %v", l.first+c, err)
		}
		if session.Count != 2*each {
			r.wrong++
		}
		r.lost += 2*each - session.Count
	}
	return r
}

// checkAnswers checks that each message has one answer, with a count above the one before,
// and each button one.
func (l *load) checkAnswers(t *testing.T) {
	t.Helper()
	for c := range int64(chats) {
		calls := l.rig.Telegram.Calls(simulator.Filter{Chat: l.first + c, Method: "sendMessage"})
		last := 0
		for _, call := range calls {
			n, err := strconv.Atoi(call.Text)
			if err != nil || n <= last {
				t.Errorf("chat %d: answer %q after %d", l.first+c, call.Text, last)
			}
			last = n
		}
		if len(calls) != each {
			t.Errorf("chat %d: %d answers to %d messages", l.first+c, len(calls), each)
		}
	}
	if n := len(l.rig.Telegram.Calls(simulator.Filter{Method: "answerCallbackQuery", Since: l.from})); n != each*chats {
		t.Errorf("%d buttons answered of %d", n, each*chats)
	}
}

func awaitNothingQueued(t *testing.T, r *harness.Rig) {
	t.Helper()
	c, err := broker.Connect(t.Context(), broker.Config{URL: r.NATSURL()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	harness.Eventually(t, 90*time.Second, "nothing queued", func() bool {
		d, err := c.Depth(t.Context())
		return err == nil && d.Queued+d.Parked == 0
	})
	if d, err := c.Depth(t.Context()); err != nil || d.Dead != 0 {
		t.Errorf("dead letters: %d, %v", d.Dead, err)
	}
}
