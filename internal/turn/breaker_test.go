package turn

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatlane/chatlane/internal/lane"
)

const down = "down"

// journaled is a breaker with its log.
func journaled() (*breaker, *bytes.Buffer) {
	log := &bytes.Buffer{}
	return newBreaker(slog.New(slog.NewTextHandler(log, nil)), nil), log
}

func lanes(n int) []lane.Key {
	all := make([]lane.Key, n)
	for i := range all {
		all[i] = lane.Key(fmt.Sprintf("42:c:%d", i+1))
	}
	return all
}

// broken is a breaker whose partition 1 is paused.
func broken(t *testing.T) (*breaker, *bytes.Buffer) {
	t.Helper()
	b, log := journaled()
	for _, k := range lanes(failuresToOpen) {
		b.fail(t.Context(), 1, k, down)
	}
	time.Sleep(quietToOpen)
	b.fail(t.Context(), 1, "42:c:1", down)
	if wait, _ := b.enter(1, "42:c:1"); wait == 0 {
		t.Fatal("several lanes struck, and nothing was paused")
	}
	return b, log
}

func untilProbe(t *testing.T, b *breaker) (*probe, time.Duration) {
	t.Helper()
	began := time.Now()
	for range 100 {
		wait, probe := b.enter(1, "42:c:1")
		if probe != nil {
			return probe, time.Since(began)
		}
		if wait == 0 {
			t.Fatal("the partition is not paused")
		}
		time.Sleep(wait)
	}
	t.Fatal("nobody may probe")
	return nil, 0
}

func TestSeveralLanesWithoutAnAnswerPauseTheirPartitionAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, log := broken(t)
		if wait, probe := b.enter(2, "42:c:1"); wait != 0 || probe != nil {
			t.Error("another partition waits")
		}
		for range 1000 {
			b.fail(t.Context(), 1, "42:c:9", down)
		}
		if n := strings.Count(log.String(), "partition paused"); n != 1 || b.paused() != 1 {
			t.Errorf("said %d times, gauge %v", n, b.paused())
		}
	})
}

func TestOneLaneNeverPausesOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := journaled()
		for range 1000 {
			b.fail(t.Context(), 1, "42:c:1", down)
			b.fail(t.Context(), 1, "42:c:2", down)
			time.Sleep(time.Second)
			if wait, _ := b.enter(1, "42:c:1"); wait != 0 {
				t.Fatal("paused by two lanes")
			}
		}
	})
}

func TestManyFailingLanesPauseNothingWhileOthersGetThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := journaled()
		for range 100 {
			for _, k := range lanes(50) {
				b.fail(t.Context(), 1, k, down)
			}
			if wait, _ := b.enter(1, "42:c:1"); wait != 0 {
				t.Fatal("paused although an answer came a moment ago")
			}
			time.Sleep(quietToOpen - time.Millisecond)
			b.answer(t.Context(), 1)
		}
	})
}

func TestOneProbeAtATimeAndLaterEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := broken(t)
		var mu sync.Mutex
		probes, now, most := 0, 0, 0
		var all sync.WaitGroup
		end := time.Now().Add(time.Minute)
		for _, k := range lanes(200) {
			b.fail(t.Context(), 1, k, down)
			all.Go(func() {
				for time.Now().Before(end) {
					wait, probe := b.enter(1, k)
					if probe == nil {
						time.Sleep(wait)
						continue
					}
					mu.Lock()
					probes, now = probes+1, now+1
					most = max(most, now)
					mu.Unlock()
					time.Sleep(10 * time.Millisecond)
					mu.Lock()
					now--
					mu.Unlock()
					b.fail(t.Context(), 1, k, down)
					b.leave(probe)
				}
			})
		}
		all.Wait()
		if most != 1 || probes < 50 || probes > 130 {
			t.Errorf("%d probes in a minute, up to %d at once", probes, most)
		}
	})
}

func TestLaneThatHasNotFailedIsTheNextProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := broken(t)
		for range 10 {
			probe, _ := untilProbe(t, b)
			b.leave(probe)
		}
		time.Sleep(minPause)
		if wait, probe := b.enter(1, "42:c:1"); probe != nil {
			t.Fatalf("a lane that has failed may probe at once: %v", wait)
		}
		if _, probe := b.enter(1, "42:c:77"); probe == nil {
			t.Error("a lane that has not failed waits like one that has")
		}
		if _, probe := b.enter(1, "42:c:78"); probe != nil {
			t.Error("two probes at once")
		}
	})
}

func TestFirstAnswerResumesThePartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, log := broken(t)
		for range 10 { // the pause has grown to its full length
			probe, _ := untilProbe(t, b)
			b.leave(probe)
		}
		probe, took := untilProbe(t, b)
		if took > maxPause+probeLook {
			t.Errorf("the next probe came after %v", took)
		}
		b.answer(t.Context(), 1)
		if wait, again := b.enter(1, "42:c:1"); wait != 0 || again != nil || b.paused() != 0 {
			t.Errorf("still paused after an answer: %v", wait)
		}
		b.leave(probe)
		if n := strings.Count(log.String(), "partition goes on"); n != 1 {
			t.Errorf("said %d times:\n%s", n, log)
		}
	})
}

func TestInconclusiveProbeKeepsThePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := broken(t)
		probe, _ := untilProbe(t, b)
		b.leave(probe)
		if wait, next := b.enter(1, "42:c:1"); wait == 0 || next != nil {
			t.Error("no pause after a probe that was cancelled")
		}
		probe, _ = untilProbe(t, b)
		b.leave(probe)
	})
}

func TestPartitionThatWentElsewhereIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := broken(t)
		time.Sleep(forgetAfter + time.Millisecond)
		if b.paused() != 0 {
			t.Error("counted although nobody waits here")
		}
		if wait, probe := b.enter(1, "42:c:1"); wait != 0 || probe != nil {
			t.Error("its first turn here waits for an old failure")
		}
	})
}

// Such lanes failed long ago, or before the partition went elsewhere.
func TestLanesThatFailedLongAgoDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := journaled()
		for _, k := range lanes(failuresToOpen - 1) {
			b.fail(t.Context(), 1, k, down)
		}
		time.Sleep(time.Hour) // the partition is elsewhere
		b.fail(t.Context(), 1, "42:c:9", down)
		if wait, _ := b.enter(1, "42:c:8"); wait != 0 {
			t.Error("paused by one lane")
		}
	})
}
