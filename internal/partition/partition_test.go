package partition_test

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/chatlane/chatlane/internal/partition"
)

// Golden: a changed value means that a running system would send the next update
// of a lane to another partition than its earlier ones.
func TestOfIsPinned(t *testing.T) {
	for _, tt := range []struct {
		key  string
		n    int
		want partition.ID
	}{
		{"42:c:100", 64, 0},
		{"42:c:-1001234567890", 64, 34},
		{"42:b:conn", 64, 57},
		{"987654321:p:5123", 16, 6},
		{"42:c:100", 1, 0},
		{"", 64, 25},
	} {
		if got := partition.Of(tt.key, tt.n); got != tt.want {
			t.Errorf("Of(%q, %d) = %d, want %d", tt.key, tt.n, got, tt.want)
		}
	}
}

func TestOfSpreadsEvenly(t *testing.T) {
	const keys, n = 64_000, 64
	var load [n]int
	for i := range keys {
		load[partition.Of(fmt.Sprintf("42:c:%d", 100_000+i), n)]++
	}
	for p, got := range load {
		if math.Abs(float64(got)-keys/n) > keys/n/5 {
			t.Errorf("partition %d has %d keys, want about %d", p, got, keys/n)
		}
	}
}

func TestAssignIsBalancedAndMovesLittle(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 128).Draw(rt, "partitions")
		w := rapid.IntRange(1, 12).Draw(rt, "workers")
		workers := make([]string, w)
		for i := range workers {
			workers[i] = fmt.Sprintf("worker-%d-%d", i, rapid.IntRange(0, 1<<30).Draw(rt, "id"))
		}
		seats := partition.Assign(workers, n)
		load := map[string]int{}
		for p, s := range seats {
			load[s.Owner]++
			if s.Owner == "" || (s.Standby == "") != (w == 1) || s.Standby == s.Owner {
				rt.Fatalf("partition %d has seats %+v of %d workers", p, s, w)
			}
		}
		limit := (n + w - 1) / w
		for worker, got := range load {
			if got > limit {
				rt.Fatalf("%s has %d partitions, limit %d", worker, got, limit)
			}
		}
		moved := 0
		after := partition.Assign(append([]string{"newcomer"}, workers...), n)
		for p := range seats {
			if after[p].Owner != seats[p].Owner {
				moved++
			}
		}
		// The newcomer takes its share; the tighter cap may push as many again on.
		if least := 2*((n+w)/(w+1)) + w; moved > least {
			rt.Fatalf("%d of %d partitions moved when worker %d joined, want at most %d", moved, n, w+1, least)
		}
	})
}

func TestAssignIgnoresOrderAndRepetition(t *testing.T) {
	a := partition.Assign([]string{"a", "b", "c"}, 32)
	b := partition.Assign([]string{"c", "a", "b", "a"}, 32)
	for p := range a {
		if a[p] != b[p] {
			t.Errorf("partition %d: %+v and %+v", p, a[p], b[p])
		}
	}
	for _, s := range partition.Assign(nil, 4) {
		if s != (partition.Seats{}) {
			t.Errorf("a seat without workers: %+v", s)
		}
	}
}

func BenchmarkOf(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_ = partition.Of("123456789:c:-1001234567890", 64)
	}
}

// What moves on average stays near the least that an even load allows: a newcomer's
// share, or what the worker that left had. The tighter the cap, the more the share of
// others moves on: least where partitions are many for each worker.
func TestAssignMovesLittleMoreThanTheLeast(t *testing.T) {
	const n = 64
	names := func(fleet, workers int) []string {
		out := make([]string, workers)
		for i := range out {
			out[i] = fmt.Sprintf("fleet-%d-worker-%d", fleet, i)
		}
		return out
	}
	moves := func(from, to []string) (moved int) {
		a, b := partition.Assign(from, n), partition.Assign(to, n)
		for p := range a {
			if a[p].Owner != b[p].Owner {
				moved++
			}
		}
		return moved
	}
	for w := 1; w <= 8; w++ {
		joins, leaves, least := 0, 0, 0
		const fleets = 50
		for fleet := range fleets {
			few, many := names(fleet, w), names(fleet, w+1)
			joins += moves(few, many)
			leaves += moves(many, few)
			least += n / (w + 1)
		}
		t.Logf("%d to %d workers: %.1f partitions move on average, back %.1f; at least %d do",
			w, w+1, float64(joins)/fleets, float64(leaves)/fleets, n/(w+1))
		if most := least * 5 / 3; joins > most || leaves > most {
			t.Errorf("%d to %d workers: %d moves in %d fleets, back %d; want at most %d", w, w+1, joins, fleets, leaves, most)
		}
	}
}
