package fault

import (
	"strings"
	"testing"
	"time"

	"github.com/chatlane/chatlane/test/harness"
)

// cutTime is longer than PinTTL and the lock's TTL (both 2 s), and longer than a client
// waits for an answer.
func cutTime() time.Duration {
	if *whole {
		return 20 * time.Second
	}
	return 6 * time.Second
}

func TestWorkerCutFromTheBroker(t *testing.T) {
	r := harness.New(t)
	_, hook := r.Ingress()
	proxy := harness.NewProxy(t, strings.TrimPrefix(r.NATSURL(), "nats://"))
	cut := r.Worker("CHATLANE_NATS_URL=nats://" + proxy.Addr)
	r.Worker()
	took := func() float64 { return cut.Metric(t, "chatlane_partition_resets_total", `reason="takeover"`) }
	before := took()
	cutAndHeal(t, r, hook, proxy, cut)
	if took() <= before {
		t.Error("the worker took no partition over after the cut: it had not lost any")
	}
}

func TestWorkerCutFromRedis(t *testing.T) {
	r := harness.New(t)
	_, hook := r.Ingress()
	proxy := harness.NewProxy(t, r.Redis.Addr)
	cut := r.Worker("CHATLANE_REDIS_URL=redis://" + proxy.Addr + "/0")
	r.Worker()
	cutAndHeal(t, r, hook, proxy, cut)
	if waited := cut.Metric(t, "chatlane_turns_total", `outcome="waited"`); waited == 0 {
		t.Error("no turn of the worker waited: the cut met no turn")
	}
}

func cutAndHeal(t *testing.T, r *harness.Rig, hook string, proxy *harness.Proxy, worker *harness.Process) {
	t.Helper()
	latency(r, 20*time.Millisecond, 80*time.Millisecond)
	deliver(t, r, hook)
	f := pour(t, r, 200, 2*time.Second)
	for range rounds(1) {
		wait(t, 3*time.Second)
		proxy.Cut()
		began := time.Now()
		harness.Eventually(t, cutTime(), "not ready while it is cut off", func() bool { return !worker.Ready() })
		wait(t, cutTime()-time.Since(began))
		proxy.Heal()
		worker.WaitReady(t)
	}
	wait(t, time.Second)
	began := time.Now()
	f.finish(90 * time.Second)
	t.Logf("silences: %v", f.silences(time.Time{}, began, everyChat))
}
