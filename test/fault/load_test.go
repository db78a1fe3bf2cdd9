package fault

import (
	"context"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/broker"
	"github.com/chatlane/chatlane/test/harness"
	"github.com/chatlane/chatlane/test/simctl"
)

const first = 700_001

// load is tally traffic, with what is needed to check it.
type load struct {
	t            *testing.T
	r            *harness.Rig
	chats, texts int
	stops        int // workers killed or frozen so far
	window       int // calls that may be answered and not recorded at a stop; 0 means 1
}

// begin lets 200 chats send a text each second and makes calls slow, so that faults meet
// turns half way.
func begin(t *testing.T, r *harness.Rig, hooks ...string) *flow {
	t.Helper()
	latency(r, 20*time.Millisecond, 80*time.Millisecond)
	deliver(t, r, hooks...)
	return pour(t, r, 200, time.Second)
}

// kill ends a worker as a crash does, and reads at once which calls it had recorded.
func (l *load) kill(p *harness.Process) {
	l.t.Helper()
	p.Kill()
	l.stopped(p)
}

// freeze stops all threads of a worker; thaw lets them run again.
func (l *load) freeze(p *harness.Process) {
	l.t.Helper()
	p.Freeze(l.t)
	l.stopped(p)
}

func (l *load) thaw(p *harness.Process) {
	l.r.Telegram.Resumed(p.Caller)
	p.Thaw()
}

// stopped tells the simulated Telegram which calls a stopped worker had recorded. No other
// worker takes its lanes over before its locks and pins expire, so Redis still holds what this
// worker left.
func (l *load) stopped(p *harness.Process) {
	l.t.Helper()
	l.stops++
	l.r.Telegram.Stopped(p.Caller, noted(l.book()))
}

// finish waits for the last reply of each chat and checks the replies and the sums.
func (l *load) finish(within time.Duration) simctl.Report {
	l.t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(l.t.Context(), within)
	defer cancel()
	if err := l.r.Telegram.Await(ctx, simctl.TallyDone(first, l.chats, l.texts)); err != nil {
		l.t.Errorf("not every chat got its last reply: %v", err)
	}
	if err := l.r.Telegram.Idle(ctx); err != nil {
		l.t.Errorf("not every update was taken: %v", err)
	}
	took := time.Since(began)
	depth := l.sum()
	report := simctl.CheckTally(l.r.Telegram, first, l.chats, l.texts)
	l.t.Logf("%v; at each stop %v; %d accepted, %d stored; last reply %v after the last fault",
		report, append(report.Windows, make([]int, l.stops-len(report.Windows))...), l.r.Telegram.First().Sent().Delivered, depth.Stored, took.Round(time.Millisecond))
	if !report.Clean() {
		l.t.Error(report)
	}
	for i, n := range report.Windows {
		if most := max(l.window, 1); n > most {
			l.t.Errorf("%d calls were answered and not recorded at stop %d, want at most %d", n, i+1, most)
		}
	}
	return report
}

// sum checks law 5 (accepted = committed + dead + queued) and law 3 (each text is counted
// once). Here no update may be dead, and in the end none is queued.
func (l *load) sum() broker.Depth {
	l.t.Helper()
	c, err := broker.Connect(l.t.Context(), broker.Config{URL: l.r.NATSURL()})
	if err != nil {
		l.t.Fatal(err)
	}
	defer c.Close(l.t.Context())
	var depth broker.Depth
	harness.Eventually(l.t, 20*time.Second, "nothing queued", func() bool {
		depth, err = c.Depth(l.t.Context())
		return err == nil && depth.Queued+depth.Parked == 0
	})
	committed := 0
	for chat, p := range l.book() {
		committed += p.updates
		if p.counted != l.texts {
			l.t.Errorf("chat %d: %d texts counted, want %d", chat, p.counted, l.texts)
		}
	}
	if accepted := l.r.Telegram.First().Sent().Delivered; accepted != committed+int(depth.Dead+depth.Queued+depth.Parked) {
		l.t.Errorf("%d accepted, %d committed, %+v", accepted, committed, depth)
	}
	if depth.Dead != 0 {
		l.t.Errorf("%d dead letters", depth.Dead)
	}
	return depth
}

// orWhole is full with -whole, else short.
func orWhole[T any](short, full T) T {
	if *whole {
		return full
	}
	return short
}

// rounds is n, with -whole 4 times n.
func rounds(n int) int {
	if *whole {
		return 4 * n
	}
	return n
}

// wait lets load run between faults. Its length is part of the fault; nothing is awaited.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
	}
}
