package fault

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/simulator"
	"github.com/chatlane/chatlane/test/harness"
)

// TestClocksOfTwoWorkersFiveMinutesApart moves lanes, locks, journals and parked updates
// between two workers whose clocks differ. If a worker trusted its clock, one that is 150 s
// ahead would find inline queries stale, which are useful for 30 s, and one that is 150 s
// behind would leave a parked lane waiting.
func TestClocksOfTwoWorkersFiveMinutesApart(t *testing.T) {
	r := harness.New(t)
	_, hook := r.Ingress()
	workers := make(map[time.Duration]*harness.Process)
	for _, skew := range []time.Duration{-150 * time.Second, 150 * time.Second} {
		w := r.SkewedWorker(skew)
		if off := time.Until(w.Clock(t)) - skew; off < -25*time.Second || off > 25*time.Second {
			t.Fatalf("the worker's clock is off by %v, want %v", time.Until(w.Clock(t)), skew)
		}
		workers[skew] = w
	}
	limited(r)
	deliver(t, r, hook)
	f := pour(t, r, 200, 2*time.Second)
	for range rounds(1) {
		for skew := range workers {
			wait(t, 2*time.Second)
			f.kill(workers[skew])
			wait(t, 3*time.Second)
			workers[skew] = r.SkewedWorker(skew)
		}
	}
	for skew, w := range workers {
		harness.Eventually(t, 30*time.Second, "the worker owns partitions: "+skew.String(), func() bool {
			return w.Metric(t, "chatlane_partition_owned", "} 1") > 0
		})
	}
	for c := range int64(f.chats) {
		r.Telegram.Push("inline_query", inlineQuery(first+c))
	}
	f.finish(90 * time.Second)
	for skew, w := range workers {
		stale, taken := w.Metric(t, "chatlane_turns_total", `outcome="stale"`), w.Metric(t, "chatlane_turns_total", `outcome="unhandled"`)
		t.Logf("inline queries at the worker whose clock is off by %v: %v taken, %v found stale", skew, taken, stale)
		if stale != 0 || taken == 0 {
			t.Errorf("the clock that is off by %v made queries stale, or none came there", skew)
		}
	}
}

// limited makes calls slow, and answers some with a 429 whose wait parks the lane.
func limited(r *harness.Rig) {
	var n atomic.Uint64
	r.Telegram.Faults(func(string, int64) simulator.Fault {
		k := n.Add(1)
		f := simulator.Fault{Latency: time.Duration(20+k%60) * time.Millisecond}
		if k%100 == 0 { // rare enough that the limiter does not hold the whole bot
			f.Status, f.RetryAfter = http.StatusTooManyRequests, 4
		}
		return f
	})
}

func inlineQuery(user int64) map[string]any {
	return map[string]any{
		"id": strconv.FormatInt(user, 10), "query": "pizza", "offset": "",
		"from": map[string]any{"id": user, "is_bot": false, "first_name": "Ann"},
	}
}
