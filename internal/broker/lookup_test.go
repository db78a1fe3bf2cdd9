package broker

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/broker/natstest"
)

// A request that is made while a stream's leader is elected is answered by nobody,
// also not later. A takeover must not wait for it: its pin would run out.
func TestStreamLookUpIsNotHeldUpByALostAnswer(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c, err := Connect(t.Context(), Config{Options: []nats.Option{s.Option()}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close(t.Context())
		if err := c.Ensure(t.Context(), Topology{Partitions: 1}); err != nil {
			t.Fatal(err)
		}
		lost := 0
		if _, err := c.nc.Subscribe("lossy.>", func(m *nats.Msg) {
			if lost++; lost < 3 {
				return
			}
			m.Subject = "$JS.API." + m.Subject[len("lossy."):]
			_ = c.nc.PublishMsg(m)
		}); err != nil {
			t.Fatal(err)
		}
		if c.js, err = jetstream.NewWithAPIPrefix(c.nc, "lossy"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		began := time.Now()
		stream, asked, err := c.StreamWithRetry(ctx, (Names{}).Parked(), 500*time.Millisecond)
		if err != nil || stream.CachedInfo().Config.Name != (Names{}).Parked() {
			t.Fatalf("%v after %v", err, time.Since(began))
		}
		if took := asked.Sub(began); took < time.Second || took > 1500*time.Millisecond {
			t.Errorf("the answered request was made after %v, want two lost ones of 500 ms before it", took)
		}
	})
}
