package app

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatlane/chatlane/internal/broker"
)

func TestWorkersWantedFollowTheAgeOfTheOldestUpdate(t *testing.T) {
	const target = 4 * time.Second
	for _, tt := range []struct {
		name    string
		queued  uint64
		oldest  time.Duration
		running int
		want    int
	}{
		{"nothing runs", 0, 0, 0, 1},
		{"nothing runs, much waits", 1000, time.Hour, 0, 2},
		{"idle", 0, 0, 3, 2},
		{"idle with one", 0, 0, 1, 1},
		{"as aimed at", 500, 3 * time.Second, 3, 3},
		{"half as much again", 500, 6 * time.Second, 4, 6},
		{"twice at most", 500, time.Hour, 4, 8},
		{"a few long turns", 3, time.Minute, 3, 3},
		{"as many as partitions", 5000, time.Hour, 12, 16},
	} {
		b := broker.Backlog{Queued: tt.queued, Oldest: tt.oldest}
		if got := wanted(b, tt.running, 16, target); got != tt.want {
			t.Errorf("%s: %d workers, want %d", tt.name, got, tt.want)
		}
	}
}

func TestScaleAnswersWithWhatTheBrokerHolds(t *testing.T) {
	asked, away := 0, false
	s := &scaler{partitions: 64, target: time.Second, log: slog.New(slog.DiscardHandler), workers: func() int { return 2 }}
	s.backlog = func(context.Context) (broker.Backlog, error) {
		if asked++; away {
			return broker.Backlog{}, errors.New("away")
		}
		return broker.Backlog{Queued: 30, Parked: 4, Oldest: 1500 * time.Millisecond}, nil
	}
	get := func() *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/scale", nil))
		return w
	}
	for range 3 {
		var got Scale
		if err := json.Unmarshal(get().Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(Scale{Unfinished: 34, Parked: 4, Oldest: 1.5, Running: 2, Workers: 3}, got); diff != "" {
			t.Error(diff)
		}
	}
	if asked != 1 {
		t.Errorf("the broker was asked %d times within a second, want 1", asked)
	}
	away, s.asked = true, time.Time{}
	if w := get(); w.Code != 503 {
		t.Errorf("status %d while the broker is away, want 503, so that nothing is scaled", w.Code)
	}
}
