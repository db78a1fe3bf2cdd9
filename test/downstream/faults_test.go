package downstream

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/simulator"
	"github.com/chatlane/chatlane/internal/testport"
	"github.com/chatlane/chatlane/test/harness"
)

// A worker is killed, and later the bot is down for a while. The bot gets every update, in
// order per chat, and repeated only those that it worked on when the worker died, with the
// same id. Each update has three attempts: one may be lost with the worker, and one with a
// connection that the bot is closing. If the bot's absence used an attempt up, there would be
// dead letters.
func TestForwardingOutlivesAWorkerAndAnAbsentBot(t *testing.T) {
	const first = 9_000_000
	r := harness.New(t)
	_, hook := r.Ingress()
	b := startRecorder(t)
	settings := []string{"CHATLANE_FORWARD_URL=" + b.url(), "CHATLANE_MAX_ATTEMPTS=3"}
	killed := r.Worker(settings...)
	survivor := r.Worker(settings...)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for n := range each {
		for c := range int64(chats) {
			r.Telegram.Say(first+c, "Ann", strconv.Itoa(n+1))
		}
	}
	sending, stop := context.WithCancel(ctx)
	delivered := make(chan struct{})
	go func() {
		defer close(delivered)
		r.Telegram.Deliver(sending, simulator.WebhookConfig{URL: hook, Secret: harness.Secret, RetryBase: 100 * time.Millisecond})
	}()
	b.await(t, chats*each/5)
	killed.Kill()
	b.await(t, chats*each/2)
	b.stop(t)
	pause(ctx, 2*time.Second)
	b.start(t)
	b.await(t, chats*each)
	if err := r.Telegram.Idle(ctx); err != nil {
		t.Error(err)
	}
	stop()
	<-delivered
	awaitNothingQueued(t, r)
	if survivor.Metric(t, "chatlane_forward_seconds_count", `outcome="away"`) == 0 {
		t.Error("no request met the absent bot: this test shows nothing")
	}
	again := b.check(t, first)
	answers := map[string]int{}
	for _, c := range r.Telegram.Calls(simulator.Filter{Method: "sendMessage"}) {
		answers[fmt.Sprintf("%d %s", c.Chat, c.Text)]++
	}
	twice := 0
	for _, n := range answers {
		twice += n - 1
	}
	t.Logf("%d updates: %d were repeated and %d answers were sent again, after one kill", chats*each, again, twice)
	if len(answers) != chats*each || again > chats || twice > chats {
		t.Errorf("%d different answers, want %d; at most the %d lanes in flight may repeat one", len(answers), chats*each, chats)
	}
}

// recorder is a bot that records the updates that it gets.
type recorder struct {
	addr   string
	server *http.Server
	ended  chan struct{}

	mu  sync.Mutex
	got []noted
	new chan struct{} // closed with the next update
}

// noted is one update that was handled completely.
type noted struct {
	chat         int64
	text, update string
}

func startRecorder(t *testing.T) *recorder {
	t.Helper()
	b := &recorder{addr: testport.Addr(t), new: make(chan struct{})}
	b.start(t)
	t.Cleanup(func() { b.stop(t) })
	return b
}

func (b *recorder) url() string { return "http://" + b.addr + "/hook" }

func (b *recorder) start(t *testing.T) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", b.addr)
	if err != nil {
		t.Fatal(err)
	}
	b.server, b.ended = &http.Server{Handler: b, ReadHeaderTimeout: time.Minute}, make(chan struct{})
	go func() {
		defer close(b.ended)
		_ = b.server.Serve(l)
	}()
}

// stop refuses new connections and waits for running requests.
func (b *recorder) stop(t *testing.T) {
	t.Helper()
	if err := b.server.Shutdown(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
	<-b.ended
}

// ServeHTTP takes an update and answers with a call.
func (b *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var u struct {
		Message struct {
			Text string
			Chat struct{ ID int64 }
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&u); err != nil {
		http.Error(w, "no update", http.StatusBadRequest)
		return
	}
	pause(context.WithoutCancel(r.Context()), 5*time.Millisecond) // it goes on when the client has gone
	b.mu.Lock()
	b.got = append(b.got, noted{u.Message.Chat.ID, u.Message.Text, r.Header.Get("X-Chatlane-Update")})
	close(b.new)
	b.new = make(chan struct{})
	b.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"method": "sendMessage", "chat_id": u.Message.Chat.ID, "text": "got " + u.Message.Text})
}

// await waits until n different updates were handled.
func (b *recorder) await(t *testing.T, n int) {
	t.Helper()
	end := time.After(90 * time.Second)
	for {
		b.mu.Lock()
		names := map[string]bool{}
		for _, g := range b.got {
			names[g.update] = true
		}
		changed := b.new
		b.mu.Unlock()
		if len(names) >= n {
			return
		}
		select {
		case <-changed:
		case <-end:
			t.Fatalf("bot has %d updates, want %d", len(names), n)
		}
	}
}

// check checks that each chat's updates came in order, and counts repeated ones.
func (b *recorder) check(t *testing.T, first int64) (again int) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	texts, names := map[int64][]string{}, map[string]noted{}
	for _, g := range b.got {
		if before, known := names[g.update]; known {
			again++
			if before != g {
				t.Errorf("%s is %+v, then %+v", g.update, before, g)
			}
			continue
		}
		names[g.update] = g
		texts[g.chat] = append(texts[g.chat], g.text)
	}
	var want []string
	for n := range each {
		want = append(want, strconv.Itoa(n+1))
	}
	for c := range int64(chats) {
		if !slices.Equal(texts[first+c], want) {
			t.Errorf("chat %d: %v", first+c, texts[first+c])
		}
	}
	return again
}
