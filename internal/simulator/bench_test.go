package simulator_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/chatlane/chatlane/internal/simulator"
)

// BenchmarkSender delivers over loopback to a webhook that answers 200 at once.
func BenchmarkSender(b *testing.B) {
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	defer hook.Close()
	tg := simulator.New(simulator.Config{MaxPending: 1 << 30, Webhook: simulator.WebhookConfig{URL: hook.URL}})
	for i := range b.N {
		tg.Say(int64(1+i%2000), "Ann", "hello")
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	running.Go(func() { _ = tg.Run(ctx) })
	if err := tg.Idle(ctx); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "updates/s")
	cancel()
	running.Wait()
}

// BenchmarkPush turns a person's text into a pending update.
func BenchmarkPush(b *testing.B) {
	tg := simulator.New(simulator.Config{})
	ann := tg.Person(1, "Ann")
	b.ReportAllocs()
	for b.Loop() {
		ann.Say("hello")
	}
}

// BenchmarkSendMessage makes one Bot API call without a network.
func BenchmarkSendMessage(b *testing.B) {
	tg := simulator.New(simulator.Config{})
	tg.Person(1, "Ann")
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest(http.MethodPost, "/bot"+simulator.Token+"/sendMessage", strings.NewReader(`{"chat_id":1,"text":"hello"}`))
		r.Header.Set("Content-Type", "application/json")
		tg.ServeHTTP(httptest.NewRecorder(), r)
	}
}
