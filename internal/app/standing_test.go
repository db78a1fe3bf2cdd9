package app_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/app"
	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/config"
	"github.com/chatlane/chatlane/internal/partition"
	"github.com/chatlane/chatlane/internal/telemetry"
)

// startAnswering runs a worker with four partitions and its state in the broker, whose handler sends the text of each update.
func startAnswering(t *testing.T, s *embedded.Server) (texts <-chan string, tel *telemetry.Telemetry) {
	t.Helper()
	telegrams := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"ok":true,"result":true}`)
	}))
	heard := make(chan string, 64)
	r := bot.New("b")
	r.Message(func(_ context.Context, t *bot.Turn) error { heard <- t.Text(); return nil })
	tel, err := telemetry.Start(t.Context(), telemetry.Config{Output: io.Discard, Exporter: "none"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() {
		ended <- app.RunWorker(ctx, r, app.Worker{
			Broker: broker.Settings{URL: s.URL(), Partitions: 4, PinTTL: time.Second}, State: app.State{Store: "nats"}, BotAPI: app.BotAPI{URL: telegrams.URL},
			Bots: config.Bots{All: []config.Bot{{Token: ingressToken, Username: "b"}}},
		}, app.Parts{Telemetry: tel, Pause: time.Millisecond})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("worker ended with %v", err)
		}
		telegrams.Close()
	})
	return heard, tel
}

func say(chat, id int, text string) string {
	return fmt.Sprintf(`{"update_id":%d,"message":{"message_id":1,"date":1,"chat":{"id":%d,"type":"private"},"from":{"id":%d,"is_bot":false,"first_name":"A"},"text":%q}}`, id, chat, chat, text)
}

// hears fails unless the text is handled soon.
func hears(t *testing.T, texts <-chan string, want string) {
	t.Helper()
	for limit := time.After(20 * time.Second); ; {
		select {
		case got := <-texts:
			if got == want {
				return
			}
		case <-limit:
			t.Fatalf("%q is not answered", want)
		}
	}
}

// Streams and consumers that a broker lost are made anew while the programs run: nothing that is
// accepted afterwards waits for a person.
func TestWhatTheBrokerLostIsMadeAnew(t *testing.T) {
	s := startBroker(t)
	texts, worker := startAnswering(t, s)
	cfg := settings()
	cfg.Broker.Partitions = 4
	conn := dialURL(t, s)
	in := startIngress(t, cfg, conn, pausing(time.Millisecond))
	in.await("ready", func() bool { return in.ready() && len(worker.Health.Reasons(t.Context())) == 0 })
	id := 0
	answers := func(when string) {
		t.Helper()
		for chat := range 8 { // all partitions
			id++
			text := fmt.Sprintf("%s, %d", when, chat)
			in.await("accept an update "+when, func() bool { return in.post(say(1000+chat, id, text)) == http.StatusOK })
			hears(t, texts, text)
		}
	}
	answers("at first")
	js := conn.JetStream()
	for p := range partition.ID(4) {
		if err := js.DeleteConsumer(t.Context(), broker.Names{}.Updates(), broker.ConsumerName(p)); err != nil {
			t.Fatal(err)
		}
	}
	answers("without consumers")
	if err := js.DeleteStream(t.Context(), broker.Names{}.Updates()); err != nil {
		t.Fatal(err)
	}
	answers("without the stream of updates")
	for name := range js.StreamNames(t.Context()).Name() {
		if err := js.DeleteStream(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	answers("with an empty store")
	for _, stream := range []string{"UPDATES", "PARKED", "DEADLETTERS", "TIMERS"} {
		in.await("say that "+stream+" was lost", func() bool { return strings.Contains(in.log.String(), `"stream":"`+stream+`","held":`) })
	}
	in.stop()
	if err := <-in.done; err != nil {
		t.Errorf("ended with %v", err)
	}
}

// A stream that was made anew with another layout takes in nothing, and readiness names the
// setting, until the layout is right again.
func TestAnotherLayoutStopsIntake(t *testing.T) {
	s := startBroker(t)
	conn := dialURL(t, s)
	in := startIngress(t, settings(), conn)
	in.await("accept an update", func() bool { return in.post(body) == http.StatusOK })
	js := conn.JetStream()
	updates, err := conn.Stream(t.Context(), broker.Names{}.Updates())
	if err != nil {
		t.Fatal(err)
	}
	other := updates.CachedInfo().Config
	other.Metadata = map[string]string{}
	for k, v := range updates.CachedInfo().Config.Metadata {
		other.Metadata[k] = strings.Replace(v, "64", "8", 1)
	}
	replace := func(with jetstream.StreamConfig) {
		t.Helper()
		if err := js.DeleteStream(t.Context(), with.Name); err != nil {
			t.Fatal(err)
		}
		for {
			_, err := js.CreateStream(t.Context(), with)
			if err == nil {
				return
			}
			if err := js.DeleteStream(t.Context(), with.Name); err != nil && t.Context().Err() != nil { // ingress was faster
				t.Fatal(err)
			}
		}
	}
	replace(other)
	in.await("say what differs", func() bool {
		return strings.Contains(in.tel.Health.Reasons(t.Context())["ingress streams"], "CHATLANE_PARTITIONS")
	})
	if code := in.post(body); code != http.StatusServiceUnavailable {
		t.Errorf("answered %d with another layout, want 503", code)
	}
	if n := stored(t, conn, other.Name); n != 0 {
		t.Errorf("%d updates were stored under another layout", n)
	}
	other.Metadata = updates.CachedInfo().Config.Metadata
	replace(other)
	in.await("ready again", in.ready)
	if code := in.post(body); code != http.StatusOK {
		t.Errorf("answered %d with the layout that is configured", code)
	}
	in.stop()
	if err := <-in.done; err != nil {
		t.Errorf("ended with %v", err)
	}
}

// Updates that are accepted into a stream that somebody has just deleted would be in the way of its new layout.
func TestDeletedUpdatesAreReportedBeforeTheyAreMadeAnew(t *testing.T) {
	s := startBroker(t)
	conn := dialURL(t, s)
	in := startIngress(t, settings(), conn)
	in.await("accept an update", func() bool { return in.post(body) == http.StatusOK })
	raise(t, conn, broker.Names{}.DeadLetters())
	in.await("look at the streams", func() bool { return strings.Contains(in.log.String(), "CHATLANE_DEAD_LETTERS_MAX_BYTES") })
	updates := broker.Names{}.Updates()
	if err := conn.JetStream().DeleteStream(t.Context(), updates); err != nil {
		t.Fatal(err)
	}
	in.await("say what to do", func() bool {
		return strings.Contains(in.tel.Health.Reasons(t.Context())["ingress streams"], "stop all programs first")
	})
	if code := in.post(body); code != http.StatusServiceUnavailable {
		t.Errorf("answered %d without the stream, want 503", code)
	}
	if has, err := conn.Has(t.Context(), updates); has || err != nil {
		t.Errorf("the stream stands: %t, %v", has, err)
	}
	if err := conn.NATS().ForceReconnect(); err != nil {
		t.Fatal(err)
	}
	in.await("make it anew after a reconnection", func() bool { return in.ready() && in.post(body) == http.StatusOK })
	in.await("say that it is another one", func() bool { return strings.Contains(in.log.String(), "a stream was replaced") })
	in.stop()
	if err := <-in.done; err != nil {
		t.Errorf("ended with %v", err)
	}
}

// raise doubles a stream's bound.
func raise(t *testing.T, conn *broker.Conn, stream string) {
	t.Helper()
	s, err := conn.Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	cfg := s.CachedInfo().Config
	cfg.MaxBytes *= 2
	if _, err := conn.JetStream().UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
}

// A bound that a restarted worker or an operator changes stops nobody who runs.
func TestAnotherBoundIsAWarningWhileRunning(t *testing.T) {
	s := startBroker(t)
	conn := dialURL(t, s)
	in := startIngress(t, settings(), conn)
	in.await("accept an update", func() bool { return in.post(body) == http.StatusOK && in.ready() })
	raise(t, conn, broker.Names{}.Updates())
	raise(t, conn, broker.Names{}.DeadLetters())
	told := func() bool {
		return strings.Contains(in.log.String(), "CHATLANE_STREAM_MAX_BYTES") || !in.ready()
	}
	in.await("tell of the difference", told)
	if why := in.tel.Health.Reasons(t.Context()); len(why) > 0 {
		t.Errorf("not ready: %v", why)
	}
	if code := in.post(body); code != http.StatusOK {
		t.Errorf("answered %d, want 200", code)
	}
	in.stop()
	if err := <-in.done; err != nil {
		t.Errorf("ended with %v", err)
	}
	if n := strings.Count(in.log.String(), "something else than configured; this"); n != 1 {
		t.Errorf("warned %d times, want once", n)
	}
}
