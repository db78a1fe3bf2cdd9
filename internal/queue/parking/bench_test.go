package parking

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/lane"
	"github.com/chatlane/chatlane/internal/queue"
)

type executing struct{ lanes *lane.Executor }

func (e executing) Submit(k lane.Key, j lane.Job) error {
	return e.lanes.Submit(context.Background(), k, j)
}
func (e executing) Confirm(context.Context) error { return nil }

// BenchmarkDeliver is a delivery's way without its message and its acknowledgement.
func BenchmarkDeliver(b *testing.B) {
	keys := make([]lane.Key, 1000)
	for i := range keys {
		keys[i] = lane.ByChat.Key(lane.Scope{Bot: 42, Kind: lane.KindChat, Chat: int64(i)})
	}
	var done sync.WaitGroup
	l := New(Config{
		Window: 256, Metrics: NewMetrics(nil), Logger: slog.New(slog.DiscardHandler),
		Attempt: func(d *queue.Delivery) queue.Attempt {
			return func(ctx context.Context) queue.Next {
				_ = d.Ack(ctx)
				done.Done()
				return queue.Next{}
			}
		},
	}, nil, executing{lane.NewExecutor(lane.NewSlots(1024))})
	b.ReportAllocs()
	seq := uint64(0)
	for b.Loop() {
		done.Add(1)
		seq++
		d := &queue.Delivery{Seq: seq, Update: queue.Update{Lane: keys[seq%1000]}}
		d.Arrive(queue.Origin{Age: time.Millisecond, Ack: func() error { l.Finish(d); return nil }})
		if err := l.Deliver(b.Context(), d); err != nil {
			b.Fatal(err)
		}
		if seq%128 == 0 {
			done.Wait() // the window
		}
	}
	done.Wait()
}
