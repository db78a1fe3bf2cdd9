package simctl_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/chatlane/chatlane/internal/simulator"
	"github.com/chatlane/chatlane/internal/simulator/simtest"
	"github.com/chatlane/chatlane/test/simctl"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// send makes a call of sendMessage; false: it got no answer.
func send(ctx context.Context, base, body string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/bot"+simulator.Token+"/sendMessage", strings.NewReader(body))
	if err != nil {
		return false
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return true
}

// tallyBot answers as the bundled bot's /tally does, with what goes wrong on top.
func tallyBot(t *testing.T, base func() string, wrong func(chat int64, k int, text string) []string) *httptest.Server {
	t.Helper()
	var mu sync.Mutex
	count := map[int64]int{}
	bot := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var u struct {
			Message struct {
				Text string
				Chat struct{ ID int64 }
			}
		}
		body, _ := io.ReadAll(r.Body)
		_ = json.Unmarshal(body, &u)
		chat := u.Message.Chat.ID
		if u.Message.Text == "/tally" {
			say(t, base(), chat, "Counting")
			return
		}
		mu.Lock()
		count[chat]++
		k := count[chat]
		mu.Unlock()
		for _, text := range wrong(chat, k, u.Message.Text) {
			say(t, base(), chat, text)
		}
	}))
	t.Cleanup(bot.Close)
	return bot
}

func say(t *testing.T, base string, chat int64, text string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"chat_id": chat, "text": text})
	if err != nil {
		t.Error(err)
		return
	}
	send(t.Context(), base, string(body))
}

func TestTallyAddsUp(t *testing.T) {
	numbered := func(k int, text string) string { return string(rune('0'+k)) + ". " + text }
	var base string
	bot := tallyBot(t, func() string { return base }, func(chat int64, k int, text string) []string {
		switch {
		case chat == 11 && k == 2: // lost
			return nil
		case chat == 12 && k == 3: // twice
			return []string{numbered(k, text), numbered(k, text)}
		case chat == 13 && k == 1: // late
			return nil
		case chat == 13 && k == 2:
			return []string{numbered(2, text), numbered(1, "text 1")}
		case chat == 14 && k == 2: // wrong
			return []string{numbered(2, "text 3")}
		}
		return []string{numbered(k, text)}
	})
	tg := simulator.New(simulator.Config{Webhook: simulator.WebhookConfig{URL: bot.URL}})
	base = simtest.Serve(t, tg)
	good, err := simctl.Tally(within(t, 20*time.Second), tg, simctl.TallyConfig{First: 20, Chats: 10, Texts: 5})
	if err != nil || !good.Clean() || good.Replies != 60 || good.Max == 0 {
		t.Errorf("%v, %v", err, good)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	bad, err := simctl.Tally(ctx, tg, simctl.TallyConfig{First: 10, Chats: 6, Texts: 4})
	if err == nil {
		t.Error("the lost reply was not waited for")
	}
	got := [4]int{bad.Lost, bad.Repeated, bad.Disordered, bad.Excused + bad.Window}
	if want := [4]int{2, 1, 2, 0}; got != want {
		t.Errorf("lost, repeated, disordered, excused: %v; %v", got, bad)
	}
	if r := simctl.CheckTally(tg, 20, 10, 5); !r.Clean() || r.Replies != 60 {
		t.Errorf("checked later: %v", r)
	}
}

func TestTallyExcusesARepeatWhoseFirstCallerWasGone(t *testing.T) {
	var base string
	bot := tallyBot(t, func() string { return base }, func(chat int64, k int, text string) []string {
		text = string(rune('0'+k)) + ". " + text
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		body := `{"chat_id":` + string(rune('0'+chat)) + `,"text":"` + text + `"}`
		if send(ctx, base, body) {
			return nil
		}
		return []string{text}
	})
	tg := simulator.New(simulator.Config{Webhook: simulator.WebhookConfig{URL: bot.URL}})
	tg.Faults(simctl.Faults(0,
		simctl.Rule{Method: "sendMessage", Skip: 2, Times: 1, Fault: simulator.Fault{LoseAnswer: true}},
		simctl.Rule{Method: "sendMessage", Skip: 4, Times: 1, Fault: simulator.Fault{Withhold: 5 * time.Second}},
	))
	base = simtest.Serve(t, tg)
	r, err := simctl.Tally(within(t, 20*time.Second), tg, simctl.TallyConfig{First: 1, Chats: 3, Texts: 5})
	if err != nil || !r.Clean() || r.Excused != 6 {
		t.Errorf("%v, %v %v", err, r, r.Details)
	}
}
