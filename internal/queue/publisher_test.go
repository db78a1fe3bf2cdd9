package queue_test

import (
	"testing"

	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/broker/natstest"
)

func TestPublishingTwiceStoresOnce(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := connect(t, s)
		defer c.Close(t.Context())
		publish(t, c, 1, 5)
		publish(t, c, 3, 7)
		depth, err := c.Depth(t.Context())
		if err != nil || depth.Queued != 7 {
			t.Errorf("queued %d, %v; want 7", depth.Queued, err)
		}
	})
}
