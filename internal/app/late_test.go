package app

import (
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/simulator"
)

func TestLateUpdatesAreSkippedByType(t *testing.T) {
	for _, tt := range []struct {
		name   string
		types  []string
		to     string // forwarded to
		inline time.Duration
		press  time.Duration
		text   time.Duration
	}{
		{"default", []string{"inline_query"}, "", 30 * time.Second, 0, 0},
		{"more", []string{"inline_query=5s", "callback_query", "message=1h"}, "", 5 * time.Second, 150 * time.Second, time.Hour},
		{"none", []string{"none"}, "", 0, 0, 0},
		{"forwarded", []string{"inline_query", "callback_query"}, "http://bot:3000/", 0, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := Worker{Turns: Turns{SkipLate: tt.types}, Forward: Forward{URL: tt.to}}
			c.Bots.All = []config.Bot{{Token: simulator.Token}}
			after := c.skipAfter()
			if after == nil {
				after = func(string) time.Duration { return 0 }
			}
			if after("inline_query") != tt.inline || after("callback_query") != tt.press || after("message") != tt.text {
				t.Errorf("inline queries after %v, presses after %v, messages after %v", after("inline_query"), after("callback_query"), after("message"))
			}
		})
	}
	for _, wrong := range []string{"message", "inline", "inline_query=soon", "inline_query=-1s", "none=1s", ""} {
		if _, err := skipAges([]string{wrong, "callback_query"}); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}
