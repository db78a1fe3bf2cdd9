package turn

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/telegram/api"
)

func TestOutagesUseUpNoAttempt(t *testing.T) {
	cfg := Config{}.withDefaults()
	for _, tt := range []struct {
		name        string
		err         error
		least, most time.Duration
		park        bool
	}{
		{"without a time", &bot.UnavailableError{Err: errors.New("refused")}, 0, 5 * time.Second, false},
		{"soon", &bot.UnavailableError{RetryAfter: time.Second, Err: errors.New("busy")}, time.Second, 1100 * time.Millisecond, false},
		{"later", fmt.Errorf("forward: %w", &bot.UnavailableError{RetryAfter: time.Minute, Err: errors.New("busy")}), time.Minute, 66 * time.Second, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, attempts := range []int{0, 4, 100} {
				v := cfg.judge(t.Context(), tt.err, attempts, attempts)
				if v.action != actWait || v.reason != "away" || v.after < tt.least || v.after > tt.most || v.park != tt.park {
					t.Errorf("after %d attempts: %+v", attempts, v)
				}
			}
		})
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if v := cfg.judge(over, &bot.UnavailableError{Err: errors.New("refused")}, 0, 0); v.action != actLeave {
		t.Errorf("a lost partition: %+v", v)
	}
}

// A refusal does not decide if another call failed with something that may pass.
func TestRefusalWithATransientErrorIsRetried(t *testing.T) {
	no := &api.Error{Code: 403, Description: "Forbidden: bot was blocked by the user"}
	passing := &api.Error{Code: 409, Description: "Conflict"}
	for _, tt := range []struct {
		name string
		err  error
		want action
	}{
		{"alone", no, actDead},
		{"wrapped", fmt.Errorf("greet: %w", no), actDead},
		{"panicked with", &bot.PanicError{Value: no}, actDead},
		{"joined with an error of the handler's own", errors.Join(errors.New("own"), no), actDead},
		{"joined with a transient error", errors.Join(no, passing), actRetry},
		{"before what may pass", errors.Join(passing, no), actRetry},
		{"a gateway's", &api.Error{Code: 403, Gateway: true}, actRetry},
	} {
		if v := (Config{}.withDefaults()).judge(t.Context(), tt.err, 0, 0); v.action != tt.want {
			t.Errorf("%s: %+v, want action %d", tt.name, v, tt.want)
		}
	}
}
