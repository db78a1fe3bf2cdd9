package simulator_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatlane/chatlane/internal/simulator"
)

func seconds(ns ...int) []time.Duration {
	out := make([]time.Duration, 0, len(ns))
	for _, n := range ns {
		out = append(out, time.Duration(n)*time.Second)
	}
	return out
}

func TestFailedUpdateIsSentAgainAtOnceThenSlowerAndSlower(t *testing.T) {
	var l log
	fail := func(w http.ResponseWriter, r *http.Request) {
		l.add(r)
		w.WriteHeader(http.StatusInternalServerError)
	}
	in(t, simulator.Config{}, fail, func(t *testing.T, tg *simulator.Telegram, _ *pipes) {
		tg.Say(1, "Ann", "hello")
		time.Sleep(700 * time.Second)
		got := l.times()
		if d := cmp.Diff(seconds(0, 0, 2, 6, 14, 30, 62, 126), got[:8]); d != "" {
			t.Error(d)
		}
		for i := 8; i < len(got); i++ {
			if gap := got[i] - got[i-1]; gap < time.Minute || gap > 2*time.Minute {
				t.Errorf("try %d came %v after the one before, want 60 to 120 s", i+1, gap)
			}
		}
		if len(got) < 12 {
			t.Errorf("%d tries in 700 s", len(got))
		}
	})
}

func TestRetryAfterIsHonouredAndDoesNotGrow(t *testing.T) {
	for _, c := range []struct {
		header string
		want   []time.Duration
	}{
		{"5", seconds(0, 5, 10, 15)},
		{"0", seconds(0, 0, 0, 0)},
		{"-7", seconds(0, 0, 0, 0)},
		{"90000", seconds(0, 3600, 7200, 10800)},
		{"Wed, 21 Oct 2015 07:28:00 GMT", seconds(0, 0, 2, 6)}, // a date is no number
	} {
		t.Run(c.header, func(t *testing.T) {
			var l log
			busy := func(w http.ResponseWriter, r *http.Request) {
				l.add(r)
				w.Header().Set("Retry-After", c.header)
				if l.len() <= 4 {
					w.WriteHeader(http.StatusServiceUnavailable)
				}
			}
			in(t, simulator.Config{}, busy, func(t *testing.T, tg *simulator.Telegram, _ *pipes) {
				tg.Say(1, "Ann", "hello")
				if err := tg.Idle(t.Context()); err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(c.want, l.times()[:4]); d != "" {
					t.Error(d)
				}
			})
		})
	}
}

func TestUpdateIsDroppedWhenItsTimeIsOverAndTheNextGoesOut(t *testing.T) {
	var l log
	onlyLater := func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(l.add(r), `"data":"first"`) {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}
	in(t, simulator.Config{}, onlyLater, func(t *testing.T, tg *simulator.Telegram, _ *pipes) {
		ann := tg.Person(1, "Ann")
		ann.Press(1, "first")
		ann.Press(1, "second")
		if err := tg.Idle(t.Context()); err != nil {
			t.Fatal(err)
		}
		// 0, 0, 2 ... 126 s; the next attempt would come after the query's 150 s.
		if d := cmp.Diff(seconds(0, 0, 2, 6, 14, 30, 62, 126, 126), l.times()); d != "" {
			t.Error(d)
		}
		if sent := tg.First().Sent(); sent.Dropped != 1 || sent.Delivered != 1 {
			t.Errorf("sent: %+v", sent)
		}
	})
}

func TestOneInFlightPerQueueAndQueuesInParallel(t *testing.T) {
	var l log
	release := make(chan struct{})
	hold := func(_ http.ResponseWriter, r *http.Request) {
		l.add(r)
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}
	synctestRelease := func(t *testing.T, tg *simulator.Telegram, _ *pipes) {
		release = make(chan struct{}) // a channel must be made in its bubble
		ann := tg.Person(1, "Ann")
		ann.Say("one")
		ann.Say("two")
		ann.Press(1, "pressed")
		tg.Person(2, "Ben").Say("other chat")
		synctest.Wait()
		if l.len() != 3 {
			t.Fatalf("%d requests in flight, want the first message, the press and the other chat", l.len())
		}
		close(release)
		if err := tg.Idle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if l.len() != 4 || !strings.Contains(l.got[3].body, `"text":"two"`) {
			t.Errorf("after the first answer: %v", l.got)
		}
	}
	in(t, simulator.Config{}, hold, synctestRelease)
}

func TestPoisonQueuesBlockTheBotAtTwiceMaxConnections(t *testing.T) {
	for _, c := range []struct {
		poison  int
		healthy int // delivered within 30 s
	}{{4, 30}, {8, 0}} {
		var l log
		var healthy atomic.Int64
		hook := func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(l.add(r), "poison") {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
			healthy.Add(1)
		}
		cfg := simulator.Config{Webhook: simulator.WebhookConfig{MaxConnections: 4}}
		in(t, cfg, hook, func(t *testing.T, tg *simulator.Telegram, _ *pipes) {
			for i := range c.poison {
				tg.Say(int64(i+1), "Bad", "poison")
			}
			for i := range 30 {
				tg.Say(int64(100+i), "Good", "hello")
			}
			time.Sleep(30 * time.Second)
			if n := int(healthy.Load()); n != c.healthy {
				t.Errorf("%d failing chats, max_connections 4: %d of 30 healthy chats were delivered, want %d", c.poison, n, c.healthy)
			}
		})
	}
}

func TestUnansweredRequestIsSentAgainAfterSixtySeconds(t *testing.T) {
	var l log
	silent := func(_ http.ResponseWriter, r *http.Request) {
		l.add(r)
		if l.len() < 3 {
			<-r.Context().Done()
		}
	}
	in(t, simulator.Config{}, silent, func(t *testing.T, tg *simulator.Telegram, _ *pipes) {
		tg.Say(1, "Ann", "hello")
		if err := tg.Idle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(seconds(0, 60, 122), l.times()); d != "" {
			t.Error(d)
		}
	})
}

func TestHangUpIsAFailure(t *testing.T) {
	var l log
	hangUp := func(_ http.ResponseWriter, r *http.Request) {
		l.add(r)
		if l.len() < 4 {
			panic(http.ErrAbortHandler)
		}
	}
	in(t, simulator.Config{}, hangUp, func(t *testing.T, tg *simulator.Telegram, _ *pipes) {
		tg.Say(1, "Ann", "hello")
		if err := tg.Idle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(seconds(0, 0, 2, 6), l.times()); d != "" {
			t.Error(d)
		}
	})
}

func TestOnlyTwoHundredsAreSuccess(t *testing.T) {
	for code, want := range map[int]int{200: 1, 204: 1, 299: 1, 302: 2, 400: 2, 410: 2, 429: 2, 503: 2} {
		var l log
		hook := func(w http.ResponseWriter, r *http.Request) {
			l.add(r)
			if l.len() == 1 {
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(code)
			}
		}
		in(t, simulator.Config{}, hook, func(t *testing.T, tg *simulator.Telegram, _ *pipes) {
			tg.Say(1, "Ann", "hello")
			if err := tg.Idle(t.Context()); err != nil {
				t.Fatal(err)
			}
			if l.len() != want {
				t.Errorf("answer %d: sent %d times, want %d", code, l.len(), want)
			}
		})
	}
}

func TestRequestCarriesTelegramsHeadersAndNoOther(t *testing.T) {
	var got http.Header
	var length int64
	var l log
	hook := func(_ http.ResponseWriter, r *http.Request) {
		got, length = r.Header.Clone(), r.ContentLength
		l.add(r)
	}
	cfg := simulator.Config{Webhook: simulator.WebhookConfig{Secret: secret}}
	in(t, cfg, hook, func(t *testing.T, tg *simulator.Telegram, _ *pipes) {
		tg.Say(1, "Ann", "hello")
		if err := tg.Idle(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := http.Header{
			"X-Telegram-Bot-Api-Secret-Token": {secret},
			"Content-Type":                    {"application/json"},
			"Connection":                      {"keep-alive"},
			"Accept-Encoding":                 {"gzip, deflate"},
			"Content-Length":                  got["Content-Length"],
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		body := l.got[0].body
		if !strings.HasPrefix(body, `{"update_id":`) || !strings.Contains(body, ",\n\"message\":{") || length != int64(len(body)) {
			t.Errorf("length %d, body %s", length, body)
		}
	})
}

func TestQueuesKeepTheirOrderThroughFailures(t *testing.T) {
	var mu sync.Mutex
	tries, done := 0, map[string][]string{}
	hook := func(w http.ResponseWriter, r *http.Request) {
		var l log
		body := l.add(r)
		mu.Lock()
		defer mu.Unlock()
		if tries++; tries%3 == 0 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		chat := body[strings.Index(body, `"chat":`):]
		chat = chat[:strings.Index(chat, ",")]
		text := body[strings.Index(body, `"text":`):]
		done[chat] = append(done[chat], text)
	}
	in(t, simulator.Config{}, hook, func(t *testing.T, tg *simulator.Telegram, _ *pipes) {
		for i := range 20 {
			for chat := range 30 {
				tg.Say(int64(chat+1), "Ann", string(rune('a'+i)))
			}
		}
		if err := tg.Idle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(done) != 30 {
			t.Fatalf("%d chats", len(done))
		}
		for chat, texts := range done {
			if len(texts) != 20 || !slices.IsSorted(texts) {
				t.Errorf("%s: %v", chat, texts)
			}
		}
	})
}
