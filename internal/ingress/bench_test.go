package ingress_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/ingress"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/queue/deadletter"
)

// nothing is a store that does nothing.
type nothing struct{}

func (nothing) Publish(context.Context, queue.Update) error         { return nil }
func (nothing) Reject(context.Context, int64, []byte, string) error { return nil }

// BenchmarkWebhook compares the handler with a floor: one that only reads the body and answers.
func BenchmarkWebhook(b *testing.B) {
	var l log
	in := ingress.NewIntake(settings(), nothing{}, nil, l.logger())
	h, err := ingress.NewWebhook(settings(), in, nil, l.logger())
	if err != nil {
		b.Fatal(err)
	}
	floor := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusOK)
	})
	for _, c := range []struct {
		name string
		h    http.Handler
	}{{"floor", floor}, {"webhook", h}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			r := request("")
			w := discard{http.Header{}}
			text := bytes.NewReader([]byte(body))
			r.Body, r.ContentLength = io.NopCloser(text), int64(len(body))
			for b.Loop() {
				text.Reset([]byte(body))
				c.h.ServeHTTP(w, r)
			}
		})
	}
}

// discard is a response that nobody reads.
type discard struct{ h http.Header }

func (d discard) Header() http.Header       { return d.h }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}

// BenchmarkPublish takes requests from head to 200, many at once, over a real broker on disk. The floor is
// the client's own publish of the same bytes and the wait for its confirmation.
func BenchmarkPublish(b *testing.B) {
	server, err := embedded.Start(embedded.Config{Dir: b.TempDir(), Listen: true})
	if err != nil {
		b.Fatal(err)
	}
	defer server.Stop()
	conn, err := broker.Connect(b.Context(), broker.Config{FailFast: true, URL: server.URL()})
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(b.Context()))
	if err := conn.Ensure(b.Context(), broker.Topology{}); err != nil {
		b.Fatal(err)
	}
	var l log
	in := ingress.NewIntake(settings(), struct {
		*queue.Publisher
		*deadletter.Store
	}{queue.NewPublisher(conn, 64, nil), deadletter.New(conn)}, nil, l.logger())
	h, err := ingress.NewWebhook(settings(), in, nil, l.logger())
	if err != nil {
		b.Fatal(err)
	}
	js := conn.JetStream()
	if _, err := js.CreateStream(b.Context(), jetstream.StreamConfig{Name: "FLOOR", Subjects: []string{"floor.>"}}); err != nil {
		b.Fatal(err)
	}
	var last atomic.Int64
	for _, c := range []struct {
		name string
		put  func(id int64, text string) error
	}{
		{"floor", func(id int64, text string) error {
			ack, err := js.PublishAsync(fmt.Sprintf("floor.%d", id%1000), []byte(text))
			if err != nil {
				return err
			}
			select {
			case <-ack.Ok():
				return nil
			case err := <-ack.Err():
				return err
			}
		}},
		{"webhook", func(_ int64, text string) error {
			if w := post(h, request(text)); w.Code != http.StatusOK {
				return fmt.Errorf("answered %d", w.Code)
			}
			return nil
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(128)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					id := last.Add(1)
					text := fmt.Sprintf(`{"update_id":%d,"message":{"message_id":1,"date":1,"chat":{"id":%d,"type":"private"},"text":"hi"}}`, id, id%1000+1)
					if err := c.put(id, text); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "updates/s")
		})
	}
}
