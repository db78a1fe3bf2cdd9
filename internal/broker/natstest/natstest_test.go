package natstest_test

import (
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/broker/natstest"
)

// A request that the server has received and not handled, and an open pull request, are what
// a test that stops its server in the middle of work leaves behind.
func TestServerStopsWithRequestsUnderWay(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		nc, err := nats.Connect("", s.Option())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		js, err := jetstream.New(nc)
		if err != nil {
			t.Fatal(err)
		}
		stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}})
		if err != nil {
			t.Fatal(err)
		}
		c, err := stream.CreateConsumer(t.Context(), jetstream.ConsumerConfig{Durable: "c", AckPolicy: jetstream.AckExplicitPolicy})
		if err != nil {
			t.Fatal(err)
		}
		pull, err := c.Consume(func(jetstream.Msg) {})
		if err != nil {
			t.Fatal(err)
		}
		defer pull.Stop()
		for range 200 {
			request := `{"stream_name":"S","config":{"ack_policy":"explicit","mem_storage":true},"action":""}`
			if err := nc.PublishRequest("$JS.API.CONSUMER.CREATE.S", nc.NewInbox(), []byte(request)); err != nil {
				t.Fatal(err)
			}
		}
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
	})
}
