package ownership_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatlane/chatlane/internal/broker/embedded"
	"github.com/chatlane/chatlane/internal/broker/natstest"
	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/internal/queue/ownership"
	"github.com/chatlane/chatlane/internal/queue/queuetest"
)

func TestLagIsShownWhileTheWindowIsFull(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *embedded.Server) {
		c := queuetest.Connect(t, s)
		defer c.Close(t.Context())
		reg := prometheus.NewRegistry()
		o := ownership.New(ownership.Config{PinTTL: queuetest.PinTTL}, c, lane.NewSlots(64), reg)
		release := make(chan struct{})
		stop := queuetest.RunOwner(t.Context(), t, o, 0, func(d *queue.Delivery) queue.Attempt {
			return func(ctx context.Context) queue.Next {
				<-release
				_ = d.Ack(ctx)
				return queue.Next{}
			}
		})
		for chat := range int64(300) { // one update each: load, and no flood
			queuetest.PublishTo(t, c, chat, chat)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		shown := queuetest.Gauge(t, reg, "chatlane_partition_pending")
		if shown != 300-256 {
			t.Errorf("pending is %v, want what the window does not hold of 300", shown)
		}
		if age := queuetest.Gauge(t, reg, "chatlane_partition_oldest_seconds"); age < 9 || age > 11 {
			t.Errorf("the oldest is %v s old, want about 10", age)
		}
		for chat := range int64(50) {
			queuetest.PublishTo(t, c, 1000+chat, 1000+chat)
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if now := queuetest.Gauge(t, reg, "chatlane_partition_pending"); now != shown+50 {
			t.Errorf("pending is %v after 50 more, want %v", now, shown+50)
		}
		close(release)
		time.Sleep(time.Second)
		synctest.Wait()
		if left := queuetest.Gauge(t, reg, "chatlane_partition_pending"); left != 0 {
			t.Errorf("pending is %v when all is done", left)
		}
		stop()
		if left := queuetest.Gauge(t, reg, "chatlane_partition_pending"); left != -1 {
			t.Errorf("pending is %v at a worker that does not own the partition", left)
		}
	})
}
