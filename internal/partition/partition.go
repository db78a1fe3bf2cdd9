// Package partition maps lane keys to partitions and partitions to workers. It is pure, and the same in every
// version: ingress and workers agree on nothing else.
package partition

import "github.com/cespare/xxhash/v2"

// ID numbers a partition from 0 to N-1.
type ID int

// Of is the partition of a lane key: XXH64 with seed 0, modulo n. It must never change: the next
// update of a lane would overtake its earlier ones.
func Of(key string, n int) ID {
	return ID(xxhash.Sum64String(key) % uint64(n))
}
