package partition_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/chatlane/chatlane/internal/partition"
)

// fleet draws workers, and who of them, or of some that are gone, holds each partition.
func fleet(rt *rapid.T) (workers, holders []string) {
	holders = make([]string, rapid.IntRange(1, 128).Draw(rt, "partitions"))
	workers = make([]string, rapid.IntRange(1, 12).Draw(rt, "workers"))
	for i := range workers {
		workers[i] = fmt.Sprintf("worker-%d-%d", i, rapid.IntRange(0, 1<<30).Draw(rt, "id"))
	}
	candidates := append([]string{"", "gone"}, workers...)
	for p := range holders {
		holders[p] = candidates[rapid.IntRange(0, len(candidates)-1).Draw(rt, "holder")]
	}
	return workers, holders
}

func owners(seats []partition.Seats) []string {
	out := make([]string, len(seats))
	for p, s := range seats {
		out[p] = s.Owner
	}
	return out
}

func count(names []string) map[string]int {
	n := make(map[string]int)
	for _, name := range names {
		n[name]++
	}
	return n
}

func moved(from, to []string) (parts []int) {
	for p := range from {
		if from[p] != to[p] {
			parts = append(parts, p)
		}
	}
	return parts
}

func TestAssignIsEvenAndMovesTheLeast(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		workers, holders := fleet(rt)
		n, w := len(holders), len(workers)
		seats := partition.Assign(workers, holders)
		for p, s := range seats {
			if !slices.Contains(workers, s.Owner) || (s.Standby == "") != (w == 1) || s.Standby == s.Owner {
				rt.Fatalf("partition %d has seats %+v of %d workers", p, s, w)
			}
		}
		load, held := count(owners(seats)), count(holders)
		// Everybody may keep the even share, and as many as have more may keep one more.
		kept, more := 0, n%w
		for _, worker := range workers {
			if got := load[worker]; got < n/w || got > (n+w-1)/w {
				rt.Fatalf("%s has %d of %d partitions, of %d workers", worker, got, n, w)
			}
			kept += min(held[worker], n/w)
			if held[worker] > n/w && more > 0 {
				kept, more = kept+1, more-1
			}
		}
		if got := len(moved(holders, owners(seats))); got != n-kept {
			rt.Fatalf("%d of %d partitions move, and %d have to", got, n, n-kept)
		}
	})
}

// Partitions move one by one, and every worker plans anew with each: that must not make
// more moves than the first plan had.
func TestPlansOnTheWayMoveNothingElse(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		workers, holders := fleet(rt)
		for left := len(moved(holders, owners(partition.Assign(workers, holders)))); ; left-- {
			plan := owners(partition.Assign(workers, holders))
			to := moved(holders, plan)
			if len(to) != left {
				rt.Fatalf("%d moves are left of the first plan, %d of this one", left, len(to))
			}
			if left == 0 {
				return
			}
			p := to[rapid.IntRange(0, len(to)-1).Draw(rt, "next")]
			holders[p] = plan[p]
		}
	})
}

// When a worker goes, whoever waits in line for its partitions is who should have them.
func TestStandbysSucceed(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		workers, holders := fleet(rt)
		before := partition.Assign(workers, holders)
		gone := rapid.IntRange(0, len(workers)-1).Draw(rt, "gone")
		name := workers[gone]
		after := partition.Assign(slices.Delete(slices.Clone(workers), gone, gone+1), owners(before))
		for p := range before {
			want := before[p].Owner
			if want == name {
				want = before[p].Standby
			}
			if after[p].Owner != want {
				rt.Fatalf("partition %d goes to %q, want %q", p, after[p].Owner, want)
			}
		}
	})
}

func TestAssignIgnoresOrderAndRepetition(t *testing.T) {
	holders := make([]string, 32)
	a := partition.Assign([]string{"a", "b", "c"}, holders)
	b := partition.Assign([]string{"c", "a", "b", "a"}, holders)
	for p := range a {
		if a[p] != b[p] {
			t.Errorf("partition %d: %+v and %+v", p, a[p], b[p])
		}
	}
	for _, s := range partition.Assign(nil, make([]string, 4)) {
		if s != (partition.Seats{}) {
			t.Errorf("a seat without workers: %+v", s)
		}
	}
}

func BenchmarkAssign(b *testing.B) {
	workers, holders := make([]string, 50), make([]string, 1024)
	for i := range workers {
		workers[i] = fmt.Sprintf("worker-%d", i)
	}
	holders = owners(partition.Assign(workers[1:], holders))
	b.ReportAllocs()
	for b.Loop() {
		_ = partition.Assign(workers, holders)
	}
}

// Where only some workers are able to own a partition, one of them does, and the others share what is left.
func TestAssignAbleKeepsToThoseWhoAre(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		workers, holders := fleet(rt)
		lacking := make(map[string]bool)
		for _, w := range workers {
			lacking[w] = rapid.Bool().Draw(rt, "lacks")
		}
		bound := make([]bool, len(holders))
		for p := range bound {
			bound[p] = rapid.IntRange(0, 3).Draw(rt, "bound") == 0
		}
		able := func(w string, p partition.ID) bool { return !bound[p] || !lacking[w] }
		some := slices.ContainsFunc(workers, func(w string) bool { return !lacking[w] })
		seats := partition.AssignAble(workers, holders, able)
		for p, s := range seats {
			if !slices.Contains(workers, s.Owner) || s.Owner == s.Standby || (s.Standby == "") != (len(workers) == 1) {
				rt.Fatalf("partition %d has seats %+v", p, s)
			}
			if some && !able(s.Owner, partition.ID(p)) {
				rt.Fatalf("partition %d is at %s, which is not able", p, s.Owner)
			}
		}
		again := owners(partition.AssignAble(workers, owners(seats), able))
		for range 3 { // it comes to rest
			again = owners(partition.AssignAble(workers, again, able))
		}
		if next := owners(partition.AssignAble(workers, again, able)); !slices.Equal(again, next) {
			rt.Fatalf("%d partitions go on moving", len(moved(again, next)))
		}
		if free := partition.AssignAble(workers, holders, func(string, partition.ID) bool { return true }); !slices.Equal(free, partition.Assign(workers, holders)) {
			rt.Fatal("where all are able the plan differs")
		}
	})
}
