package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/simulator"
	"github.com/chatlane/chatlane/internal/telegram/api"
	"github.com/chatlane/chatlane/internal/telemetry"
)

// roundTrip is a Bot API that is a function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A worker that starts while the Bot API is away learns its bot's name later, without a
// restart.
func TestNameIsLearntWhenTheBotAPIIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		client := api.NewClient(api.Config{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			if time.Since(began) < time.Hour {
				return nil, errors.New("connection refused")
			}
			body := `{"ok":true,"result":{"id":1,"is_bot":true,"first_name":"B","username":"late_bot"}}`
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
		})}, nil, nil)
		defer client.Close()
		a := &worker{process: process{tel: &telemetry.Telemetry{Log: slog.New(slog.DiscardHandler)}}}
		a.cfg.Bots.All = []config.Bot{{Token: simulator.Token}}
		bots, err := a.identities(t.Context(), client)
		if err != nil || len(bots) != 1 {
			t.Fatalf("identities: %v, %v", bots, err)
		}
		var named []string
		a.learnNames(t.Context(), client, bots, func(_ int64, name string) { named = append(named, name) })
		if len(named) != 1 || named[0] != "late_bot" {
			t.Errorf("named %q", named)
		}
		if late := time.Since(began) - time.Hour; late > askMost+10*time.Second {
			t.Errorf("learnt %v after the Bot API was back", late)
		}
		over, cancel := context.WithCancel(t.Context())
		cancel()
		a.learnNames(over, client, bots, func(int64, string) { t.Error("named after the end") })
	})
}
