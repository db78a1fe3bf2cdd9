package partition

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// Seats are the workers of one partition: its owner, and the next in line.
type Seats struct {
	Owner   string
	Standby string // empty with a single worker
}

// Assign seats the partitions on the workers, given each one's holder now, which may be empty or unknown. The order
// of workers does not matter. Without workers every seat is empty.
//
// Each worker keeps what it holds up to an even share: nothing moves that an even load does not force to. What is
// free goes by rendezvous hashing to workers below their share. Moves made one by one, in any order, are as many. The
// standby is the worker that would own the partition if its owner left: a death moves each partition once.
func Assign(workers, holders []string) []Seats { return AssignAble(workers, holders, nil) }

// AssignAble is Assign where not every worker is able to own every partition; nil: all are. A partition goes to a
// worker that is able, past its even share if need be; where nobody is, to anybody.
func AssignAble(workers, holders []string, able func(worker string, p ID) bool) []Seats {
	seats := make([]Seats, len(holders))
	workers = slices.Compact(slices.Sorted(slices.Values(workers)))
	only := newAbility(workers, len(holders), able)
	if len(workers) == 0 {
		return seats
	}
	held := make(map[string][]ID, len(workers))
	for p, holder := range holders {
		if _, known := slices.BinarySearch(workers, holder); !known || !only.may(holder, ID(p)) {
			holder = ""
		}
		held[holder] = append(held[holder], ID(p))
	}
	free := held[""]
	delete(held, "")
	share := shares(workers, held, len(holders))
	for w, kept := range held {
		slices.SortFunc(kept, func(a, b ID) int {
			return cmp.Or(first(only.bound(a), only.bound(b)), pair{score(w, a), w, a}.compare(pair{score(w, b), w, b}))
		})
		if most := min(len(kept), max(share[w], only.share(w, kept))); most < len(kept) {
			free = append(free, kept[most:]...)
			held[w] = kept[:most]
		}
	}
	for p, w := range place(free, workers, held, share, only) {
		held[w] = append(held[w], p)
	}
	for w, owned := range held {
		others := slices.DeleteFunc(slices.Clone(workers), func(other string) bool { return other == w })
		next := place(owned, others, held, shares(others, held, len(holders)), newAbility(others, len(holders), able))
		for _, p := range owned {
			seats[p] = Seats{Owner: w, Standby: next[p]}
		}
	}
	return seats
}

// shares splits n evenly; the remainder goes to those that hold most.
func shares(workers []string, held map[string][]ID, n int) map[string]int {
	share := make(map[string]int, len(workers))
	if len(workers) == 0 {
		return share
	}
	ranked := slices.Clone(workers)
	slices.SortStableFunc(ranked, func(a, b string) int { return cmp.Compare(len(held[b]), len(held[a])) })
	for i, w := range ranked {
		share[w] = n / len(workers)
		if i < n%len(workers) {
			share[w]++
		}
	}
	return share
}

// place gives each free partition to a worker below its share, by one ranking of all pairs, whatever came before.
func place(free []ID, workers []string, held map[string][]ID, share map[string]int, only ability) map[ID]string {
	pairs := make([]pair, 0, len(free)*len(workers))
	room := make(map[string]int, len(workers))
	for _, w := range workers {
		if room[w] = share[w] - len(held[w]); room[w] <= 0 {
			continue
		}
		for _, p := range free {
			if only.may(w, p) {
				pairs = append(pairs, pair{score(w, p), w, p})
			}
		}
	}
	slices.SortFunc(pairs, pair.compare)
	placed := make(map[ID]string, len(free))
	for _, x := range pairs {
		if placed[x.partition] == "" && room[x.worker] > 0 {
			placed[x.partition] = x.worker
			room[x.worker]--
		}
	}
	for _, p := range free {
		if placed[p] == "" && len(workers) > 0 { // those able to own it have no room
			placed[p] = roomiest(workers, p, room, only)
			room[placed[p]]--
		}
	}
	return placed
}

// roomiest is the able worker with the most room, which may be below 0.
func roomiest(workers []string, p ID, room map[string]int, only ability) string {
	best := ""
	for _, w := range workers {
		switch {
		case !only.may(w, p):
		case best == "", room[w] > room[best], room[w] == room[best] && score(w, p) > score(best, p):
			best = w
		}
	}
	return best
}

// first orders true before false.
func first(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

type pair struct {
	score     uint64
	worker    string
	partition ID
}

func (a pair) compare(b pair) int {
	return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.worker, b.worker), cmp.Compare(a.partition, b.partition))
}

func score(worker string, p ID) uint64 {
	b := binary.BigEndian.AppendUint64([]byte(worker), uint64(p))
	return xxhash.Sum64(b)
}
