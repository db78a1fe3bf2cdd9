// Package fleet counts the workers of an installation by their heartbeats, and runs in each worker
// the owners of its partitions.
//
// A heartbeat ([Presence]) carries the partitions that its worker owns. From the heartbeats each worker computes the
// same assignment, which moves as few partitions as an even load allows. The assignment may be wrong for a moment:
// it decides only which worker asks for a partition's pin, and the broker decides which one gets it. The standby
// keeps a pull request waiting, so failover needs no agreement. Until the assigned owner holds the partition, only
// that owner asks for the pin ([Role]), and the former owner goes on: docs/decisions/0010-least-moves.md.
package fleet
