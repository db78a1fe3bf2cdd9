package fault

import (
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/test/harness"
)

// election bounds the silence after a leader's death: the servers' election, on a busy
// machine, and the senders' retries.
const election = 20 * time.Second

func TestStreamLeaderKilled(t *testing.T) {
	f, resets := leaderKilled(t, orWhole(2, 5), []string{"gap", "redelivery", "stalled"}, nil)
	if resets == 0 {
		t.Error("no reset: the leader's deaths met no delivery")
	}
	f.finish(time.Minute)
}

// Here the broker waits 2 s for acknowledgements, so that it repeats lost deliveries behind
// newer ones. With the hour that Chatlane sets it repeats none, and the watchdog finds the
// missing ones.
func TestDeliveriesThatComeBackLate(t *testing.T) {
	f, resets := leaderKilled(t, orWhole(2, 5), []string{"gap", "redelivery"}, func(r *harness.Rig) { shortAckWait(t, r, 2*time.Second) })
	if resets == 0 {
		t.Error("no reset: no delivery came back late")
	}
	f.finish(time.Minute)
}

// shortAckWait sets how long the broker waits for acknowledgements.
func shortAckWait(t *testing.T, r *harness.Rig, wait time.Duration) {
	t.Helper()
	c, err := broker.Connect(t.Context(), broker.Config{URL: r.NATSURL()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	s, err := c.JetStream().Stream(t.Context(), broker.Names{}.Updates())
	if err != nil {
		t.Fatal(err)
	}
	all := s.ListConsumers(t.Context())
	for info := range all.Info() {
		info.Config.AckWait = wait
		if _, err := s.UpdateConsumer(t.Context(), info.Config); err != nil {
			t.Fatal(err)
		}
	}
	if err := all.Err(); err != nil {
		t.Fatal(err)
	}
}

func TestStreamLeaderKilledWithStateInTheBroker(t *testing.T) {
	f, _ := leaderKilled(t, orWhole(1, 5), nil, nil, "CHATLANE_STORE=nats")
	f.stored(f.chats*(f.texts+1), 0)
}

// leaderKilled kills the stream's leader so often, and returns the flow after each chat's last
// reply, and the number of resets for one of the reasons. A death may meet no delivery: it goes
// on until there was a reset, at most ten times. Prepare may be nil; it runs when the workers do.
func leaderKilled(t *testing.T, kills int, reasons []string, prepare func(*harness.Rig), env ...string) (f *flow, resets float64) {
	t.Helper()
	r := harness.New(t)
	c := r.Cluster()
	_, hook := r.Ingress()
	workers := []*harness.Process{r.Worker(env...), r.Worker(env...)}
	if prepare != nil {
		prepare(r)
	}
	latency(r, 20*time.Millisecond, 80*time.Millisecond)
	deliver(t, r, hook)
	f = pour(t, r, 200, time.Second)
	wait(t, 2*time.Second)
	count := func() (n float64) {
		for _, reason := range reasons {
			for _, w := range workers {
				n += w.Metric(t, "chatlane_partition_resets_total", `reason="`+reason+`"`)
			}
		}
		return n
	}
	moments := []time.Time{time.Now()}
	for n := 0; n < kills || n < 10 && len(reasons) > 0 && count() == 0; n++ {
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
			t.Errorf("a chat had no reply for %v, want at most %v", silence.at(1), election)
		}
	}
	t.Logf("resets for %v: %v", reasons, count())
	return f, count()
}
