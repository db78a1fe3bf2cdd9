// Package fleet lets the workers of an installation know of each other, and runs in each
// the owners of the partitions that are assigned to it.
//
// A heartbeat ([Presence]) says which partitions a worker owns. From the heartbeats each
// worker computes the same assignment, which moves the least that an even load forces to
// move. It may be wrong for a moment: it decides only who asks for a partition's pin, and
// the broker decides who gets it. The next in line keeps a pull request waiting, so that
// failover needs no agreement. Where the assigned owner does not hold the partition yet,
// the others leave the first word to it ([Role]); the owner that has to give the partition
// up goes on for long enough to let them. docs/decisions/0010-least-moves.md has the reasons.
package fleet
