package lane_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/chatlane/chatlane/internal/lane"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLaneRunsInOrderAndLanesDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := lane.NewExecutor(lane.NewSlots(8))
		var order []int
		for i := range 5 {
			_ = e.Submit(t.Context(), "slow", func(context.Context) time.Duration {
				time.Sleep(time.Second)
				order = append(order, i)
				return 0
			})
		}
		began := time.Now()
		fast := make(chan time.Duration, 1)
		_ = e.Submit(t.Context(), "fast", func(context.Context) time.Duration { fast <- time.Since(began); return 0 })
		if d := <-fast; d != 0 {
			t.Errorf("fast lane waited %v", d)
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		for i, got := range order {
			if got != i {
				t.Errorf("order %v", order)
			}
		}
		if len(order) != 5 || e.Lanes() != 0 {
			t.Errorf("ran %d of 5, %d lanes left", len(order), e.Lanes())
		}
	})
}

func TestWaitingLaneHoldsNoSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := lane.NewExecutor(lane.NewSlots(1))
		tries := 0
		_ = e.Submit(t.Context(), "failing", func(context.Context) time.Duration {
			if tries++; tries < 3 {
				return time.Hour
			}
			return 0
		})
		synctest.Wait()
		done := make(chan struct{})
		_ = e.Submit(t.Context(), "other", func(context.Context) time.Duration { close(done); return 0 })
		began := time.Now()
		<-done
		if d := time.Since(began); d != 0 {
			t.Errorf("the other lane waited %v for a slot", d)
		}
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		if tries != 3 {
			t.Errorf("tried %d times, want 3", tries)
		}
	})
}

func TestDrainEndsRunningJobsAndNoOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := lane.NewExecutor(lane.NewSlots(8))
		var ran atomic.Int32
		job := func(context.Context) time.Duration { time.Sleep(time.Second); ran.Add(1); return 0 }
		_ = e.Submit(t.Context(), "a", job)
		_ = e.Submit(t.Context(), "a", job)
		_ = e.Submit(t.Context(), "b", func(context.Context) time.Duration { return time.Hour })
		synctest.Wait()
		began := time.Now()
		e.Drain()
		if d := time.Since(began); d != time.Second || ran.Load() != 1 {
			t.Errorf("drained after %v with %d jobs run, want 1s and 1", d, ran.Load())
		}
		if err := e.Submit(t.Context(), "a", job); !errors.Is(err, lane.ErrDraining) {
			t.Errorf("submit after drain: %v", err)
		}
	})
}

// Executors share their slots. One that has nothing running must not wait for the
// handlers of another: its partition would be handed over late.
func TestDrainWaitsForNoOtherExecutorsJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slots := lane.NewSlots(1)
		busy, idle := lane.NewExecutor(slots), lane.NewExecutor(slots)
		_ = busy.Submit(t.Context(), "a", func(context.Context) time.Duration { time.Sleep(time.Minute); return 0 })
		synctest.Wait()
		var ran atomic.Int32
		for _, k := range []lane.Key{"b", "b", "c"} {
			_ = idle.Submit(t.Context(), k, func(context.Context) time.Duration { ran.Add(1); return 0 })
		}
		synctest.Wait()
		began := time.Now()
		idle.Drain()
		if d := time.Since(began); d != 0 {
			t.Errorf("drained after %v, want at once", d)
		}
		busy.Drain()
		if ran.Load() != 0 || idle.Lanes() != 0 || slots.InUse() != 0 {
			t.Errorf("%d jobs ran after the drain, %d lanes left, %d slots in use", ran.Load(), idle.Lanes(), slots.InUse())
		}
	})
}

// A job that waits for a slot has not started, whatever its position in the lane.
func TestDiscardTakesWhatWaitsForASlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slots := lane.NewSlots(1)
		busy, e := lane.NewExecutor(slots), lane.NewExecutor(slots)
		_ = busy.Submit(t.Context(), "a", func(context.Context) time.Duration { time.Sleep(time.Minute); return 0 })
		synctest.Wait()
		var ran []string
		add := func(name string) {
			_ = e.Submit(t.Context(), "b", func(context.Context) time.Duration { ran = append(ran, name); return 0 })
		}
		add("first")
		add("second")
		synctest.Wait()
		if n := e.Discard(); n != 2 {
			t.Errorf("discarded %d, want 2", n)
		}
		add("first again")
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if len(ran) != 1 || ran[0] != "first again" || e.Lanes() != 0 {
			t.Errorf("ran %v, %d lanes left", ran, e.Lanes())
		}
	})
}

func TestDiscardKeepsWhatHasStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := lane.NewExecutor(lane.NewSlots(8))
		var ran []string
		add := func(name string) {
			_ = e.Submit(t.Context(), "a", func(context.Context) time.Duration { time.Sleep(time.Second); ran = append(ran, name); return 0 })
		}
		add("first")
		add("second")
		synctest.Wait()
		if n := e.Discard(); n != 1 {
			t.Errorf("discarded %d, want 1", n)
		}
		add("second again")
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if len(ran) != 2 || ran[0] != "first" || ran[1] != "second again" {
			t.Errorf("ran %v", ran)
		}
	})
}

// The model: a queue per lane. Whatever is submitted runs once, in order, one at a time.
func TestExecutorFollowsItsModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		slots := rapid.IntRange(1, 4).Draw(rt, "slots")
		jobs := rapid.SliceOfN(rapid.IntRange(0, 3), 1, 60).Draw(rt, "lanes")
		retries := rapid.SliceOfN(rapid.IntRange(0, 2), len(jobs), len(jobs)).Draw(rt, "retries")
		synctest.Test(t, func(t *testing.T) {
			e := lane.NewExecutor(lane.NewSlots(slots))
			var mu sync.Mutex
			got, busy, running := map[int][]int{}, map[int]bool{}, 0
			for i, l := range jobs {
				left := retries[i]
				_ = e.Submit(t.Context(), lane.Key(rune('a'+l)), func(context.Context) time.Duration {
					mu.Lock()
					if busy[l] {
						t.Errorf("lane %d runs twice at once", l)
					}
					busy[l] = true
					running++
					if running > slots {
						t.Errorf("%d jobs run in %d slots", running, slots)
					}
					mu.Unlock()
					time.Sleep(time.Duration(i%7) * time.Millisecond)
					mu.Lock()
					defer mu.Unlock()
					busy[l], running = false, running-1
					if left > 0 {
						left--
						return time.Duration(1+i%3) * time.Millisecond
					}
					got[l] = append(got[l], i)
					return 0
				})
			}
			time.Sleep(time.Hour)
			synctest.Wait()
			want := map[int][]int{}
			for i, l := range jobs {
				want[l] = append(want[l], i)
			}
			for l := range want {
				if len(got[l]) != len(want[l]) {
					t.Fatalf("lane %d ran %v, want %v", l, got[l], want[l])
				}
				for i := range want[l] {
					if got[l][i] != want[l][i] {
						t.Fatalf("lane %d ran %v, want %v", l, got[l], want[l])
					}
				}
			}
		})
	})
}

func BenchmarkExecutorSchedule(b *testing.B) {
	for _, lanes := range []int{1, 1000} {
		b.Run(map[int]string{1: "one_lane", 1000: "thousand_lanes"}[lanes], func(b *testing.B) {
			e := lane.NewExecutor(lane.NewSlots(1024))
			keys := make([]lane.Key, lanes)
			for i := range keys {
				keys[i] = lane.ByChat.Key(lane.Scope{Bot: 42, Kind: lane.KindChat, Chat: int64(i)})
			}
			var done sync.WaitGroup
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				done.Add(1)
				_ = e.Submit(b.Context(), keys[i%lanes], func(context.Context) time.Duration { done.Done(); return 0 })
				i++
			}
			done.Wait()
			e.Drain()
		})
	}
}

func BenchmarkKey(b *testing.B) {
	s := lane.Scope{Bot: 123456789, Kind: lane.KindChat, Chat: -1001234567890, User: 987654321}
	b.ReportAllocs()
	for b.Loop() {
		_ = lane.ByChat.Key(s)
	}
}
