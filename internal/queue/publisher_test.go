package queue_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/broker/natstest"
	"github.com/chatlane/chatlane/internal/queue/queuetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPublishingTwiceStoresOnce(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := queuetest.Connect(t, s)
		defer c.Close(t.Context())
		queuetest.Publish(t, c, 1, 5)
		queuetest.Publish(t, c, 3, 7)
		depth, err := c.Depth(t.Context())
		if err != nil || depth.Queued != 7 {
			t.Errorf("queued %d, %v; want 7", depth.Queued, err)
		}
	})
}
