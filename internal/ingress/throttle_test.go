package ingress_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/chatlane/chatlane/internal/queue"
)

// Whoever knows the secret, or a defect at the sender's, can send unreadable bodies without end.
func TestUnreadableBodiesDoNotFloodTheLog(t *testing.T) {
	var s store
	h, l := webhook(t, settings(), &s, nil)
	const bodies = 4_000
	for range bodies {
		if w := post(h, request(`{"no":"update"}`)); w.Code != http.StatusOK {
			t.Fatalf("status %d", w.Code)
		}
	}
	if len(s.rejected) != bodies {
		t.Errorf("%d dead letters of %d bodies", len(s.rejected), bodies)
	}
	if n := len(l.String()); n > 8<<10 {
		t.Errorf("%d bytes of log for %d bodies, want at most 8 KiB", n, bodies)
	} else {
		t.Log(n, "bytes of log")
	}
}

func TestPanicsDoNotFloodTheLog(t *testing.T) {
	h, l := webhook(t, settings(), nil, nil) // a store that panics
	for range 1000 {
		if w := post(h, request(body)); w.Code != http.StatusServiceUnavailable {
			t.Fatalf("status %d", w.Code)
		}
	}
	if n := strings.Count(l.String(), "webhook panicked"); n == 0 || n > 100 {
		t.Errorf("%d lines for 1,000 panics, want some, but at most 100", n)
	}
}

// Telegram sends an update again that made ingress panic. Its memory does not stay taken each time, until nothing is
// left for other updates.
func TestPanicsGiveTheMemoryOfTheirBodiesBack(t *testing.T) {
	broken := true
	s := &store{publish: func(context.Context, queue.Update) error {
		if broken {
			panic("defect")
		}
		return nil
	}}
	h, _ := webhook(t, settings(), s, nil)
	large := strings.Replace(body, words, strings.Repeat("x", 900_000), 1)
	for range 250 { // 225 MB
		if w := post(h, request(large)); w.Code != http.StatusServiceUnavailable {
			t.Fatalf("status %d of a panic", w.Code)
		}
	}
	broken = false
	if w := post(h, request(large)); w.Code != http.StatusOK {
		t.Errorf("status %d after the defect, want 200", w.Code)
	}
}

// What was cut in the middle of a letter is stored as it came, in the lane of its chat.
func TestBadlyEncodedUpdatesAreStoredAsTheyCame(t *testing.T) {
	for _, bad := range []string{
		strings.Replace(body, words, "ab\x9ccd", 1),
		strings.Replace(body, words, `ab\ud83d`, 1),
		strings.Replace(body, `"text"`, `"text":"first","text"`, 1),
	} {
		var s store
		h, l := webhook(t, settings(), &s, nil)
		if w := post(h, request(bad)); w.Code != http.StatusOK {
			t.Errorf("status %d", w.Code)
		}
		if len(s.rejected) != 0 || len(s.updates) != 1 || string(s.updates[0].Body) != bad || s.updates[0].Scope.Chat != 42 {
			t.Errorf("dead letters %q, updates %+v, want one update with the bytes that came\n%s", s.rejected, s.updates, l)
		}
	}
}
