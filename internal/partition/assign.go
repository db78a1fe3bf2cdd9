package partition

import (
	"encoding/binary"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// Seats are the workers of one partition: who should own it, and who is next in line.
type Seats struct {
	Owner   string
	Standby string // empty with a single worker
}

// Assign seats n partitions on the workers: rendezvous hashing, capped at
// ceil(n/workers) each, so that load is even and little moves when one comes or goes.
// The order of workers does not matter. Without workers every seat is empty.
func Assign(workers []string, n int) []Seats {
	seats := make([]Seats, n)
	if len(workers) == 0 {
		return seats
	}
	workers = slices.Compact(slices.Sorted(slices.Values(workers)))
	limit := (n + len(workers) - 1) / len(workers)
	load := make(map[string]int, len(workers))
	for _, p := range pairs(workers, n) {
		if seats[p.partition].Owner == "" && load[p.worker] < limit {
			seats[p.partition].Owner = p.worker
			load[p.worker]++
		}
	}
	for _, p := range pairs(workers, n) {
		s := &seats[p.partition]
		if s.Standby == "" && s.Owner != p.worker {
			s.Standby = p.worker
		}
	}
	return seats
}

type pair struct {
	score     uint64
	worker    string
	partition ID
}

// pairs ranks every worker for every partition, best first. One global ranking,
// rather than one per partition, is what keeps moves few under the cap.
func pairs(workers []string, n int) []pair {
	out := make([]pair, 0, len(workers)*n)
	for _, w := range workers {
		for p := range n {
			out = append(out, pair{score(w, p), w, ID(p)})
		}
	}
	slices.SortFunc(out, func(a, b pair) int {
		switch {
		case a.score != b.score && a.score > b.score:
			return -1
		case a.score != b.score:
			return 1
		case a.worker != b.worker && a.worker < b.worker:
			return -1
		case a.worker != b.worker:
			return 1
		}
		return int(a.partition - b.partition)
	})
	return out
}

func score(worker string, p int) uint64 {
	b := binary.BigEndian.AppendUint64([]byte(worker), uint64(p))
	return xxhash.Sum64(b)
}
