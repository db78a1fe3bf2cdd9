package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/simulator"
)

// countingBot answers each update in its webhook's answer, as the bundled bot's /tally
// does; spoil may change a reply.
func countingBot(spoil func(chat int64, k int, reply string) string) http.Handler {
	var mu sync.Mutex
	counts := map[int64]int{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var u struct {
			Message struct {
				Text string
				Chat struct{ ID int64 }
			}
		}
		if json.NewDecoder(r.Body).Decode(&u) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		chat, reply := u.Message.Chat.ID, "well"
		if strings.HasPrefix(u.Message.Text, "/") {
			counts[chat] = 0
		} else {
			counts[chat]++
			reply = spoil(chat, counts[chat], fmt.Sprintf("%d. %s", counts[chat], u.Message.Text))
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"method": "sendMessage", "chat_id": chat, "text": reply})
	})
}

func TestCrowdCountsWhatItMeets(t *testing.T) {
	bot := httptest.NewServer(countingBot(func(chat int64, k int, reply string) string {
		if chat == firstPerson && k == 3 {
			return "4. of another"
		}
		return reply
	}))
	defer bot.Close()
	telegram := simulator.New(simulator.Config{Webhook: simulator.WebhookConfig{URL: bot.URL}})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = telegram.Run(ctx) })
	c := newCrowd(telegram, 3, 1000)
	running.Go(func() { c.talk(ctx) })
	err := telegram.Await(ctx, func(calls []simulator.Call) bool { return len(calls) > 200 })
	cancel()
	running.Wait()
	r := c.report()
	if err != nil || r.Answered < 100 || r.Wrong != 1 || r.Twice+r.Missing+r.Late != 0 {
		t.Errorf("%v, %v: want one wrong reply", err, r)
	}
}

func TestSimulateServesTheBotAPIAndItsReport(t *testing.T) {
	bot := httptest.NewServer(countingBot(func(_ int64, _ int, reply string) string { return reply }))
	defer bot.Close()
	telegram := simulator.New(simulator.Config{Webhook: simulator.WebhookConfig{URL: bot.URL}})
	s := httptest.NewServer(pages(telegram, newCrowd(telegram, 1, 1)))
	defer s.Close()
	get := func(path string) (int, string) {
		resp, err := http.Get(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		var b bytes.Buffer
		_, _ = b.ReadFrom(resp.Body)
		return resp.StatusCode, b.String()
	}
	if code, _ := get("/healthz"); code != 200 {
		t.Errorf("/healthz answers %d", code)
	}
	if code, body := get("/bot" + simulator.Token + "/getMe"); code != 200 || !strings.Contains(body, `"is_bot":true`) {
		t.Errorf("getMe answers %d: %s", code, body)
	}
	var r crowdReport
	if code, body := get("/report"); code != 200 || json.Unmarshal([]byte(body), &r) != nil {
		t.Errorf("/report answers %d: %s", code, body)
	}
	if diff := cmp.Diff(crowdReport{}, r); diff != "" {
		t.Error(diff)
	}
}

func TestSimulateNamesWrongSettings(t *testing.T) {
	var stdout, stderr bytes.Buffer
	p := config.Program{Stdout: &stdout, Stderr: &stderr, Environ: []string{"CHATLANE_SIMULATE_RATE=-1", "CHATLANE_BOT_TOKEN=secretword"}}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	code := run(ctx, p, []string{"simulate", "--for=48h"})
	for _, name := range []string{"CHATLANE_SIMULATE_RATE", "CHATLANE_SIMULATE_FOR", "CHATLANE_BOT_TOKEN"} {
		if !strings.Contains(stderr.String(), name+": ") {
			t.Errorf("%s is not named:\n%s", name, &stderr)
		}
	}
	if code != config.ExitUsage || strings.Contains(stderr.String(), "secretword") {
		t.Errorf("exit %d:\n%s", code, &stderr)
	}
}
