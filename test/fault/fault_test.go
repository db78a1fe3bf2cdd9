// Package fault kills, freezes and cuts off the real programs under load, and adds
// up what the chats were answered.
package fault

import (
	"context"
	"flag"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/mimic"
	"github.com/chatlane/chatlane/internal/queue"
	"github.com/chatlane/chatlane/test/harness"
)

// whole runs the full length; without it each fault has a short form.
var whole = flag.Bool("whole", false, "run the fault suite at full length")

const first = 700_001

// window is how long before its end a process may have had an answer that it has
// not written to the journal yet: with 200 turns at once on two busy cores a write may
// take that long (2 of 36 took over 50 ms, with other work on both cores). Repetitions
// from there are counted apart and printed; that there are some is the documented window.
const window = 250 * time.Millisecond

// load is tally traffic that goes on for as long as the faults do.
type load struct {
	t            *testing.T
	r            *harness.Rig
	chats, texts int
}

// size of the load: 200 chats; in the short form with fewer texts.
func begin(t *testing.T, r *harness.Rig, hooks ...string) *load {
	t.Helper()
	l := &load{t: t, r: r, chats: 200, texts: 12}
	if *whole {
		l.texts = 60
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Telegram.Deliver(ctx, mimic.WebhookConfig{Targets: hooks, Secret: harness.Secret, Twice: 0.02, Seed: 7, RetryBase: 200 * time.Millisecond})
	}()
	t.Cleanup(func() { stop(); <-done })
	// A handler takes time, so that faults meet turns half way.
	var n atomic.Uint64
	r.Telegram.Faults(func(string, int64) mimic.Fault {
		return mimic.Fault{Latency: time.Duration(20+n.Add(1)%60) * time.Millisecond}
	})
	r.Telegram.SendTally(first, l.chats, l.texts)
	return l
}

// finish waits for the last reply of each chat and adds up.
func (l *load) finish(within time.Duration) {
	l.t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(l.t.Context(), within)
	defer cancel()
	if err := l.r.Telegram.Await(ctx, mimic.TallyDone(first, l.chats, l.texts)); err != nil {
		l.t.Errorf("not every chat got its last reply: %v", err)
	}
	report := l.r.Telegram.CheckTally(first, l.chats, l.texts)
	l.t.Logf("%v; last reply %v after the last fault", report, time.Since(began).Round(time.Millisecond))
	if !report.Clean() {
		l.t.Error(report)
	}
	l.sum()
}

// sum is law 5: what was accepted is committed, dead or queued; here all committed.
func (l *load) sum() {
	l.t.Helper()
	c, err := queue.Connect(l.t.Context(), queue.ConnConfig{URL: l.r.NATSURL()})
	if err != nil {
		l.t.Fatal(err)
	}
	defer c.Close(l.t.Context())
	harness.Eventually(l.t, 20*time.Second, "nothing queued", func() bool {
		d, err := c.Depth(l.t.Context())
		return err == nil && d.Queued+d.Parked == 0
	})
	if d, err := c.Depth(l.t.Context()); err != nil || d.Dead != 0 {
		l.t.Errorf("dead letters: %d, %v", d.Dead, err)
	}
}

// rounds is n in the short form, 4 times as many in the whole one.
func rounds(n int) int {
	if *whole {
		return 4 * n
	}
	return n
}

// wait lets load run between faults. The time is part of the fault, not a hope.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
	}
}

func TestWorkersKilled(t *testing.T) {
	r := harness.New(t)
	_, hook := r.Ingress()
	workers := make([]*harness.Process, 4)
	for i := range workers {
		workers[i] = r.Worker()
	}
	l := begin(t, r, hook)
	for range rounds(3) {
		wait(t, time.Second)
		i := rand.IntN(len(workers))
		killed := time.Now()
		workers[i].Kill()
		r.Telegram.Unheard(killed.Add(-window))
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
	wait(t, 300*time.Millisecond)
	a.Freeze()
	frozen := time.Now()
	// What it had sent is executed now, and it hears no answer: for those calls it is
	// as gone as one that hung up (the latency of a call is at most 80 ms). So it is
	// where the answer is there and the journal not yet written: the documented
	// window.
	wait(t, 120*time.Millisecond)
	r.Telegram.Unheard(frozen.Add(-window))
	wait(t, 6*time.Second)
	a.Thaw()
	l.finish(90 * time.Second)
}

func TestBrokerKilledAndRestarted(t *testing.T) {
	r := harness.New(t)
	_, hook := r.Ingress()
	r.Worker()
	r.Worker()
	l := begin(t, r, hook)
	for range 2 {
		wait(t, time.Second)
		r.NATS.Kill()
		wait(t, time.Second)
		r.StartNATS()
	}
	l.finish(90 * time.Second)
}

func TestRedisStoppedAndRestarted(t *testing.T) {
	r := harness.New(t)
	_, hook := r.Ingress()
	w := r.Worker()
	r.Worker()
	l := begin(t, r, hook)
	for range 2 {
		wait(t, time.Second)
		r.Redis.Stop()
		wait(t, 2*time.Second)
		r.Redis.Restart()
	}
	l.finish(90 * time.Second)
	w.WaitReady(t)
}

func TestIngressKilled(t *testing.T) {
	r := harness.New(t)
	addr := harness.FreeAddr(t)
	in, hook := r.Ingress("CHATLANE_LISTEN=" + addr)
	hook = strings.Replace(hook, hook[len("http://"):strings.Index(hook, "/webhook")], addr, 1)
	r.Worker()
	l := begin(t, r, hook)
	for range rounds(3) {
		wait(t, 300*time.Millisecond)
		in.Kill()
		wait(t, 300*time.Millisecond)
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
		workers = append(workers, r.Worker())
	}
	for i := range workers {
		fresh := r.Worker()
		if code := workers[i].Stop(); code != 0 {
			t.Errorf("worker exits with %d", code)
		}
		workers[i] = fresh
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
	l.finish(90 * time.Second)
}

func TestBotAPIFails(t *testing.T) {
	r := harness.New(t)
	_, hook := r.Ingress()
	r.Worker()
	r.Worker()
	l := begin(t, r, hook)
	var n atomic.Uint64
	r.Telegram.Faults(func(string, int64) mimic.Fault {
		switch k := n.Add(1); {
		case k%3 == 0:
			return mimic.Fault{Status: 429, RetryAfter: 1}
		case k%11 == 0:
			return mimic.Fault{Status: 500}
		case k%13 == 0:
			return mimic.Fault{HangUp: true}
		case k%17 == 0:
			return mimic.Fault{LoseAnswer: true}
		}
		return mimic.Fault{}
	})
	l.finish(3 * time.Minute)
}
