// Package kvstore keeps sessions in a JetStream key-value bucket, so that a bot
// needs nothing but the broker.
//
// # Keys
//
//	lane.<lane>            lock, cursor, seen ids, journal: one record
//	state.<state>          one conversation; with a lock of its own if it is shared
//	entry.<lane>.<random>  a journal entry too large for the lane's record
//
// # Why no larger record, and no batch
//
// A lane and its states in one value would make a commit one write, and a busy
// group's value grow with its members. An atomic batch of JetStream's keeps them
// apart, but measured 3 ms against 15 us for a single write: the broker stages each
// batch in files. So a commit is two writes, in the order that package fsm gives.
//
// # The lock is the revision
//
// Open writes its token into the lane's record, by compare-and-set. From then on
// every write of the session expects the revision of its own last write: of the
// lane's record when it writes that, and of the lane's record, too, when it writes
// the state or a journal entry, which the broker checks in the same step
// (Nats-Expected-Last-Subject-Sequence-Subject). Whoever takes the lock over
// changes the revision, and nothing of the former holder passes any more. A shared
// state is held in the same way by its own record; its first step expects the
// revision of that.
//
// A holder rewrites the record every third of the TTL. Who waits takes over when it
// has seen one revision for a whole TTL on its own monotonic clock: no two clocks
// are ever compared, and a holder's own clock has told it to stop by then, since it
// counts from before its write.
//
// # Answers that were lost
//
// A write whose answer did not come may have been carried out. The next one meets a
// revision that it did not expect, reads the record, and finds its own token: as
// holder, then it goes on from there; as the last committer at this very position,
// then the commit was done. Anything else is a lost lock.
//
// # Reads
//
// A read must see the last commit of whoever held the lane before. The stream's
// leader answers so; a replica's direct answer may be old. With one replica they
// are the same, so only then direct reads are allowed.
package kvstore
