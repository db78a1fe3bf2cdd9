package e2e

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/simulator"
	"github.com/chatlane/chatlane/test/harness"
)

// stopping is a worker that gets SIGTERM in the middle of a turn: the Bot API withholds the
// answer to the turn's call.
type stopping struct {
	t *testing.T
	r *harness.Rig
	w *harness.Process
}

// stop starts a worker, has it answer once, and sends SIGTERM while the next turn's call
// takes as long as latency. Only that one call is slow.
func stop(t *testing.T, latency time.Duration, env ...string) *stopping {
	t.Helper()
	r := harness.New(t)
	_, hook := r.Ingress("OTEL_TRACES_EXPORTER=console") // ingress begins the traces, so it decides which are sampled
	s := &stopping{t: t, r: r, w: r.Worker(env...)}
	deliver(t, r.Telegram, simulator.WebhookConfig{Targets: []string{hook}, Secret: harness.Secret, RetryBase: 100 * time.Millisecond})
	r.Telegram.Say(first, "Ann", "/tally")
	s.await(1)
	var called atomic.Bool
	r.Telegram.Faults(func(method string, _ int64) simulator.Fault {
		if method != "sendMessage" || called.Swap(true) {
			return simulator.Fault{}
		}
		return simulator.Fault{Hang: latency}
	})
	r.Telegram.Say(first, "Ann", "one")
	harness.Eventually(t, 20*time.Second, "the call that hangs", called.Load)
	s.w.Terminate()
	return s
}

func (s *stopping) await(replies int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	if err := s.r.Telegram.Await(ctx, func(c []simulator.Call) bool { return len(c) >= replies }); err != nil {
		s.t.Fatalf("not answered: %q: %v", s.r.Telegram.Replies(first), err)
	}
}

// recovered checks that another worker goes on where the stopped one was.
func (s *stopping) recovered() {
	s.t.Helper()
	s.r.Worker()
	s.r.Telegram.Say(first, "Ann", "two")
	s.await(3)
	want := []string{"Counting your texts until /stop.", "1. one", "2. two"}
	if got := s.r.Telegram.Replies(first); !slices.Equal(got, want) {
		s.t.Errorf("answered %q, want %q", got, want)
	}
	nothingLeft(s.t, s.r)
}

func TestSIGTERMEndsTheTurnHandsOverFlushesAndExitsWithZero(t *testing.T) {
	s := stop(t, 700*time.Millisecond, "OTEL_TRACES_EXPORTER=console", "OTEL_BSP_SCHEDULE_DELAY=600000")
	if code := s.w.Exit(t, 20*time.Second); code != 0 {
		t.Errorf("exits with %d", code)
	}
	for _, said := range []string{
		"worker stops: no more intake", "partition handed over",
		`"Name":"turn.run"`, // the exporter's pause is ten minutes: only a flush brings it
	} {
		if !s.w.LogContains(said) {
			t.Errorf("the log has no %s", said)
		}
	}
	if got := s.r.Telegram.Replies(first); len(got) != 2 {
		t.Errorf("the turn under way was not ended: %q", got)
	}
	s.recovered()
}

func TestSecondSIGTERMEndsAWorkerAtOnce(t *testing.T) {
	s := stop(t, 20*time.Second)
	harness.Eventually(t, 10*time.Second, "stopping", func() bool { return s.w.LogContains("worker stops: no more intake") })
	began := time.Now()
	s.w.Terminate()
	if code := s.w.Exit(t, 5*time.Second); code != 1 || !s.w.LogContains("second signal") {
		t.Errorf("exits with %d after %v", code, time.Since(began))
	}
	s.recovered()
}

func TestGracePeriodEndsAWorker(t *testing.T) {
	s := stop(t, time.Minute, "CHATLANE_GRACE=2s")
	code := s.w.Exit(t, 15*time.Second)
	t.Logf("exits with %d", code) // 0 where the cancelled turn left time to hand over
	if code != 0 && !s.w.LogContains("the grace period ended") {
		t.Errorf("exits with %d, and logs no reason", code)
	}
	s.recovered()
}
