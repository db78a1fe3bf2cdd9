package fault

import (
	"testing"
	"time"

	"github.com/chatlane/chatlane/test/harness"
)

// election bounds the silence after a leader's death: what the servers take for it,
// on a busy machine, and the senders' retries.
const election = 20 * time.Second

func TestStreamLeaderKilled(t *testing.T) {
	f, found := leaderKilled(t, orWhole(3, 5))
	if found == 0 {
		t.Error("no delivery was found to be late or lost: the check of their order did not show")
	}
	f.finish(time.Minute)
}

func TestStreamLeaderKilledWithStateInTheBroker(t *testing.T) {
	f, _ := leaderKilled(t, orWhole(1, 5), "CHATLANE_STORE=nats")
	f.stored(f.chats*(f.texts+1), 0)
}

// leaderKilled gives the flow when each chat has had its last reply, and how often a
// delivery was found to be late or lost.
func leaderKilled(t *testing.T, kills int, env ...string) (f *flow, found float64) {
	t.Helper()
	r := harness.New(t)
	c := r.Cluster()
	_, hook := r.Ingress()
	workers := []*harness.Process{r.Worker(env...), r.Worker(env...)}
	latency(r, 20*time.Millisecond, 80*time.Millisecond)
	deliver(t, r, hook)
	f = pour(t, r, 200, time.Second)
	wait(t, 2*time.Second)
	moments := []time.Time{time.Now()}
	for range kills {
		killed := c.Leader()
		f.chorus() // so that many deliveries are on their way
		wait(t, 150*time.Millisecond)
		c.Kill(killed)
		wait(t, 3*time.Second)
		c.Restart(killed)
		c.Settle()
		f.caughtUp()
		moments = append(moments, time.Now())
	}
	f.replied(90 * time.Second)
	for i, until := range moments[1:] {
		silence := f.silences(moments[i], until, everyChat)
		t.Logf("longest silences of the chats around death %d: %v", i+1, silence)
		if silence.at(1) > election {
			t.Errorf("a chat heard nothing for %v, want at most %v", silence.at(1), election)
		}
	}
	for _, reason := range []string{"gap", "redelivery", "stalled"} {
		n := 0.0
		for _, w := range workers {
			n += w.Metric(t, "chatlane_partition_resets_total", `reason="`+reason+`"`)
		}
		t.Logf("resets for %s: %v", reason, n)
		found += n
	}
	return f, found
}
