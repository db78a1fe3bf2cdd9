package simulator_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatlane/chatlane/internal/simulator"
	"github.com/chatlane/chatlane/internal/simulator/simtest"
)

func TestMethodInTheAnswerIsExecuted(t *testing.T) {
	hook := func(w http.ResponseWriter, r *http.Request) {
		var u struct {
			Message struct{ Text string }
		}
		_ = json.NewDecoder(r.Body).Decode(&u)
		w.Header().Set("Content-Type", "application/json")
		switch u.Message.Text {
		case "speak":
			_, _ = io.WriteString(w, `{"method":"sendMessage","chat_id":1,"text":"spoken"}`)
		case "move":
			_, _ = io.WriteString(w, `{"method":"setWebhook","url":"https://elsewhere.test/"}`)
		}
	}
	in(t, simulator.Config{}, hook, func(t *testing.T, tg *simulator.Telegram, _ *pipes) {
		tg.Say(1, "Ann", "speak")
		tg.Say(1, "Ann", "move")
		if err := tg.Idle(t.Context()); err != nil {
			t.Fatal(err)
		}
		calls := tg.Calls()
		if len(calls) != 1 || calls[0].Text != "spoken" || !calls[0].InWebhook {
			t.Errorf("calls: %+v", calls)
		}
		if url := tg.First().Webhook().URL; url != "http://webhook.test/hook" {
			t.Errorf("webhook moved to %s", url)
		}
	})
}

func TestTwiceSendsSomeUpdatesASecondTime(t *testing.T) {
	var mu sync.Mutex
	var beside, after int
	open, answered := map[string]int{}, map[string]bool{}
	hook := func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		id, _, _ := strings.Cut(string(body), ",")
		mu.Lock()
		if open[id]++; open[id] == 2 {
			beside++
		} else if answered[id] {
			after++
		}
		mu.Unlock()
		time.Sleep(10 * time.Millisecond)
		mu.Lock()
		open[id]--
		answered[id] = true
		mu.Unlock()
	}
	cfg := simulator.Config{Seed: 7, Webhook: simulator.WebhookConfig{Twice: 0.05}}
	var first simulator.Sent
	for range 2 {
		in(t, cfg, hook, func(t *testing.T, tg *simulator.Telegram, _ *pipes) {
			for i := range 2000 {
				tg.Say(int64(1+i%100), "Ann", "hello")
			}
			if err := tg.Idle(t.Context()); err != nil {
				t.Fatal(err)
			}
			sent := tg.First().Sent()
			if sent.Copies < 60 || sent.Copies > 140 || beside < 20 || after < 20 || beside+after != sent.Copies {
				t.Errorf("%d copies of 2000, %d beside the first, %d after it", sent.Copies, beside, after)
			}
			if first.Copies != 0 && sent.Copies != first.Copies {
				t.Errorf("%d copies, then %d under the same seed", first.Copies, sent.Copies)
			}
			first = sent
			beside, after = 0, 0
			clear(answered)
		})
	}
}

func TestNewWebhookReceivesRequestsInFlight(t *testing.T) {
	var l log
	hook := func(_ http.ResponseWriter, r *http.Request) {
		if l.add(r); l.len() == 1 {
			<-r.Context().Done()
		}
	}
	in(t, simulator.Config{}, hook, func(t *testing.T, tg *simulator.Telegram, _ *pipes) {
		tg.Say(1, "Ann", "hello")
		synctest.Wait()
		cfg := tg.First().Webhook()
		cfg.Secret = "rotated"
		tg.First().SetWebhook(cfg)
		if err := tg.Idle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(seconds(0, 0), l.times()); d != "" {
			t.Error(d)
		}
	})
}

func TestStrictConnectionsOpenSlowly(t *testing.T) {
	var down atomic.Bool
	var delivered atomic.Int64
	hook := func(w http.ResponseWriter, _ *http.Request) {
		if down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		time.Sleep(500 * time.Millisecond)
		delivered.Add(1)
	}
	cfg := simulator.Config{Webhook: simulator.WebhookConfig{StrictConnections: true}}
	in(t, cfg, hook, func(t *testing.T, tg *simulator.Telegram, net *pipes) {
		for i := range 500 {
			tg.Say(int64(i+1), "Ann", "hello")
		}
		synctest.Wait()
		if n := net.dials(); n != 1 {
			t.Errorf("%d connections at the start, want 1", n)
		}
		time.Sleep(501 * time.Millisecond) // the first success
		synctest.Wait()
		if n := net.dials(); n != 11 {
			t.Errorf("%d connections after the first success, want 1 and the burst of 10", n)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if n := net.dials(); n < 30 || n > 32 {
			t.Errorf("%d connections a second later, want 20 more", n)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if n := net.dials(); n != 40 {
			t.Errorf("%d connections in the end, want max_connections", n)
		}
	})
}

func TestConnectionCloseCapsTheBotAtTwentyASecond(t *testing.T) {
	hook := func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") }
	cfg := simulator.Config{Webhook: simulator.WebhookConfig{StrictConnections: true}}
	in(t, cfg, hook, func(t *testing.T, tg *simulator.Telegram, _ *pipes) {
		begun := time.Now()
		for i := range 400 {
			tg.Say(int64(i+1), "Ann", "hello")
		}
		if err := tg.Idle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took < 19*time.Second || took > 21*time.Second {
			t.Errorf("400 updates took %v, Telegram's take 19.4 s", took)
		}
	})
}

func TestDailyGoneRemovesTheWebhook(t *testing.T) {
	gone := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }
	in(t, simulator.Config{}, gone, func(t *testing.T, tg *simulator.Telegram, _ *pipes) {
		tg.Say(1, "Ann", "hello")
		time.Sleep(22 * time.Hour)
		if tg.First().Webhook().URL == "" {
			t.Error("removed after 22 h")
		}
		time.Sleep(90 * time.Minute)
		if tg.First().Webhook().URL != "" || tg.Pending() != 1 {
			t.Errorf("after 23 h of 410: %q, %d pending", tg.First().Webhook().URL, tg.Pending())
		}
	})
}

func TestUpdatesBeyondTheLimitAreLost(t *testing.T) {
	cfg := simulator.Config{MaxPending: 10}
	tg := simulator.New(cfg)
	for range 12 {
		tg.Say(1, "Ann", "hello")
	}
	tg.Say(2, "Ann", strings.Repeat("x", 600<<10))
	if n := tg.Pending(); n != 10 {
		t.Errorf("%d pending", n)
	}
}

func TestTargetsTakeTurnsAndFailOver(t *testing.T) {
	var a, b atomic.Int64
	first := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/webhook/42" {
			a.Add(1)
		}
	}))
	defer first.Close()
	second := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { b.Add(1) }))
	defer second.Close()
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := dead.Addr().String()
	_ = dead.Close()
	tg := simulator.New(simulator.Config{Webhook: simulator.WebhookConfig{
		URL: "http://bot.test/webhook/42", Targets: []string{first.Listener.Addr().String(), second.URL, refused}, Failover: true,
	}})
	simtest.Serve(t, tg)
	for i := range 90 {
		tg.Say(int64(i+1), "Ann", "hello")
	}
	if err := tg.Idle(within(t, 10*time.Second)); err != nil {
		t.Fatal(err)
	}
	if a.Load()+b.Load() != 90 || a.Load() < 20 || b.Load() < 20 {
		t.Errorf("%d and %d requests", a.Load(), b.Load())
	}
	if sent := tg.First().Sent(); sent.Failed != 0 {
		t.Errorf("sent: %+v", sent)
	}
}

func TestRefusedConnectionShowsInWebhookInfo(t *testing.T) {
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = dead.Close()
	tg := simulator.New(simulator.Config{Webhook: simulator.WebhookConfig{URL: "http://" + dead.Addr().String(), RetryBase: time.Hour}})
	base := simtest.Serve(t, tg)
	tg.Say(1, "Ann", "hello")
	for tg.First().Sent().Failed < 2 {
		select {
		case <-within(t, 5*time.Second).Done():
			t.Fatal("no failure noted")
		case <-time.After(5 * time.Millisecond):
		}
	}
	a, _ := call(t, base, simulator.Token, "getWebhookInfo", nil)
	var info map[string]any
	if err := json.Unmarshal(a.Result, &info); err != nil {
		t.Fatal(err)
	}
	if info["last_error_message"] != "Connection refused" || info["pending_update_count"] != 1.0 || info["last_error_date"] == nil {
		t.Errorf("info: %v", info)
	}
}
