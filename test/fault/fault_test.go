// Package fault kills, freezes and cuts off the real programs under load, and checks that
// every chat was answered once and in order.
package fault

import (
	"flag"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/simulator"
	"github.com/chatlane/chatlane/internal/testport"
	"github.com/chatlane/chatlane/test/harness"
)

// whole runs every fault at full length instead of some seconds.
var whole = flag.Bool("whole", false, "run the fault suite at full length")

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(harness.RunLong(m, *whole))
}

func TestWorkersKilled(t *testing.T) {
	r := harness.New(t)
	_, hook := r.Ingress()
	workers := make([]*harness.Process, 4)
	for i := range workers {
		workers[i] = r.Worker()
	}
	l := begin(t, r, hook)
	for range orWhole(2, 12) {
		wait(t, 2*time.Second)
		i := rand.IntN(len(workers))
		l.kill(workers[i])
		wait(t, time.Second)
		workers[i] = r.Worker()
	}
	l.finish(90 * time.Second)
}

func TestWorkerFrozenAndThawed(t *testing.T) {
	r := harness.New(t)
	_, hook := r.Ingress()
	a := r.Worker()
	r.Worker()
	l := begin(t, r, hook)
	latency(r, 200*time.Millisecond, 600*time.Millisecond)
	wait(t, 2*time.Second)
	l.freeze(a)
	wait(t, orWhole(5*time.Second, 12*time.Second))
	l.thaw(a)
	wait(t, time.Second)
	if report := l.finish(90 * time.Second); report.Excused == 0 {
		t.Error("the freeze met no call")
	}
}

func TestBrokerKilledAndRestarted(t *testing.T) {
	r := harness.New(t)
	in, hook := r.Ingress()
	a, b := r.Worker(), r.Worker()
	l := begin(t, r, hook)
	for range 2 {
		wait(t, 2*time.Second)
		o := away(t, in, a, b)
		r.NATS.Kill()
		o.notReady()
		wait(t, orWhole(time.Second, time.Minute))
		r.StartNATS()
		o.over(l.chats)
	}
	l.finish(90 * time.Second)
}

func TestRedisStoppedAndRestarted(t *testing.T) {
	r := harness.New(t)
	in, hook := r.Ingress()
	a, b := r.Worker(), r.Worker()
	l := begin(t, r, hook)
	for range 2 {
		wait(t, 2*time.Second)
		o := away(t, a, b)
		r.Redis.Stop()
		o.notReady()
		wait(t, orWhole(time.Second, time.Minute))
		if !in.Ready() {
			t.Error("ingress is not ready without Redis, which it does not need")
		}
		r.Redis.Restart()
		o.over(l.chats)
	}
	l.finish(90 * time.Second)
}

func TestIngressKilled(t *testing.T) {
	r := harness.New(t)
	addr := testport.Addr(t)
	in, hook := r.Ingress("CHATLANE_LISTEN=" + addr)
	hook = strings.Replace(hook, hook[len("http://"):strings.Index(hook, "/webhook")], addr, 1)
	r.Worker()
	l := begin(t, r, hook)
	for range orWhole(2, 10) {
		wait(t, orWhole(time.Second, 2500*time.Millisecond))
		in.Kill()
		wait(t, 500*time.Millisecond)
		in, _ = r.Ingress("CHATLANE_LISTEN=" + addr)
	}
	l.finish(90 * time.Second)
}

func TestRollingRestartAndScaling(t *testing.T) {
	r := harness.New(t)
	_, hook := r.Ingress()
	workers := []*harness.Process{r.Worker(), r.Worker()}
	l := begin(t, r, hook)
	for range 4 {
		wait(t, orWhole(200*time.Millisecond, 2*time.Second))
		workers = append(workers, r.Worker())
	}
	for i := range workers {
		fresh := r.Worker()
		if code := workers[i].Stop(); code != 0 {
			t.Errorf("worker exits with %d", code)
		}
		workers[i] = fresh
		wait(t, orWhole(200*time.Millisecond, 2*time.Second))
	}
	var stopping sync.WaitGroup
	for _, w := range workers[1:] {
		stopping.Go(func() {
			if code := w.Stop(); code != 0 {
				t.Errorf("worker exits with %d", code)
			}
		})
	}
	stopping.Wait()
	wait(t, time.Second)
	if report := l.finish(90 * time.Second); report.Excused+report.Window > 0 {
		t.Errorf("a planned hand-over repeats nothing: %v", report)
	}
}

func TestBotAPIFails(t *testing.T) {
	r := harness.New(t)
	_, hook := r.Ingress()
	patience := "CHATLANE_BOT_API_TIMEOUT=" + orWhole(time.Second, 15*time.Second).String()
	r.Worker(patience)
	r.Worker(patience)
	l := begin(t, r, hook)
	var n atomic.Uint64
	r.Telegram.Faults(func(string, int64) simulator.Fault {
		switch k := n.Add(1); {
		case k%3 == 0:
			return simulator.Fault{Status: 429, RetryAfter: 1}
		case k%11 == 0:
			return simulator.Fault{Status: 500}
		case k%13 == 0:
			return simulator.Fault{HangUp: true} // after reading the request
		case k%17 == 0:
			return simulator.Fault{LoseAnswer: true}
		case k%101 == 0:
			return simulator.Fault{Hang: orWhole(4*time.Second, time.Minute)} // longer than a caller waits
		}
		return simulator.Fault{}
	})
	wait(t, orWhole(2*time.Second, 20*time.Second))
	l.finish(orWhole(90*time.Second, 5*time.Minute))
}
