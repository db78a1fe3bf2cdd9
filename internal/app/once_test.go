package app_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/app"
	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/simulator"
	"github.com/chatlane/chatlane/internal/telegram/api"
	"github.com/chatlane/chatlane/internal/telegram/update"
	"github.com/chatlane/chatlane/internal/telemetry"
)

// A method that is named in CHATLANE_AT_MOST_ONCE is not called again once its
// answer was lost; the handler is told.
func TestMethodsOfTheSettingAreCalledAtMostOnce(t *testing.T) {
	var sent atomic.Int32
	telegrams := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		if strings.HasSuffix(r.URL.Path, "/sendMessage") {
			sent.Add(1)
		}
		panic(http.ErrAbortHandler) // it has had its effect, and the answer is lost
	}))
	defer telegrams.Close()
	told := make(chan error, 8)
	r := bot.New("b")
	r.Message(func(ctx context.Context, t *bot.Turn) error {
		told <- t.Answer(ctx, "once")
		return nil
	})
	server, err := embedded.Start(embedded.Config{Dir: t.TempDir(), Listen: true})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	tel, err := telemetry.Start(t.Context(), telemetry.Config{Output: io.Discard, Exporter: "none"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	settings := broker.Settings{URL: server.URL(), Partitions: 1, PinTTL: time.Second}
	go func() {
		ended <- app.RunWorker(ctx, r, app.Worker{
			Broker: settings, State: app.State{Store: "nats"}, BotAPI: app.BotAPI{URL: telegrams.URL, AtMostOnce: []string{"sendMessage"}},
			Bots: config.Bots{All: []config.Bot{{Token: simulator.Token, Username: "b"}}},
		}, app.Parts{Telemetry: tel})
	}()
	publishText(t, settings, "hello")
	select {
	case err := <-told:
		if !errors.Is(err, bot.ErrMaybeSent) {
			t.Errorf("the handler is told %v, want %v", err, bot.ErrMaybeSent)
		}
	case <-time.After(20 * time.Second):
		t.Error("the handler was not run")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("worker ends with %v", err)
	}
	if n := sent.Load(); n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
}

// publishText stores one text of a person, once the streams stand.
func publishText(t *testing.T, s broker.Settings, text string) {
	t.Helper()
	conn, err := broker.Connect(t.Context(), broker.Config{URL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if err := conn.Ensure(t.Context(), s.Topology()); err != nil {
		t.Fatal(err)
	}
	id, err := api.ParseToken(simulator.Token)
	if err != nil {
		t.Fatal(err)
	}
	body := []byte(`{"update_id":1,"message":{"message_id":1,"date":1,"chat":{"id":5,"type":"private"},"from":{"id":5,"is_bot":false,"first_name":"Ann"},"text":"` + text + `"}}`)
	e, err := update.Peek(id.Bot(), body)
	if err != nil {
		t.Fatal(err)
	}
	u := queue.Update{ID: 1, Type: e.Type, Scope: e.Scope, Lane: lane.ByChat.Key(e.Scope), Received: time.Now(), Body: body}
	if err := queue.NewPublisher(conn, 1, nil).Publish(t.Context(), u); err != nil {
		t.Fatal(err)
	}
}
