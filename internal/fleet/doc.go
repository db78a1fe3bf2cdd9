// Package fleet counts the workers of an installation by their heartbeats, and runs a worker's partition owners.
//
// A heartbeat ([Presence]) carries the partitions that its worker owns. From the heartbeats each worker
// computes the same assignment, with as few moves as an even load allows. It may be wrong for a moment: it
// decides only which worker asks for a partition's pin, and the broker decides which one gets it. A standby
// keeps a pull request waiting, so failover needs no agreement. Until the assigned owner holds the partition,
// only that owner asks ([Role]), and the former owner goes on: docs/decisions/0010-least-moves.md.
package fleet
