// Package kvstore keeps sessions in a JetStream key-value bucket: a bot needs no server besides the broker.
//
// # Keys
//
//	lane.<lane>            lock, cursor, seen ids, journal: one record
//	state.<state>          one conversation; with a lock of its own if it is shared
//	entry.<lane>.<random>  a journal entry too large for the lane's record
//
// # Why two records, and no batch
//
// With a lane and its states in one value, the value of a busy group would grow with its members. An atomic batch of
// JetStream over separate values took 3 ms where a single write took 15 us: the broker stages each batch in files.
// So a commit is two writes, in the order that package fsm gives.
//
// # The lock is the revision
//
// Open writes its token into the lane's record by compare-and-set. From then on every write of the session, of state
// and journal too, expects the revision of its own last write to the lane's record, and the broker checks that in the
// same step (Nats-Expected-Last-Subject-Sequence-Subject). A session that takes the lock over changes the revision,
// so every later write of the former holder fails. A shared state is held in the same way by its own record.
//
// A holder rewrites the record every third of the TTL. A waiting session takes over when it has observed the same
// revision for a whole TTL on its own monotonic clock, so clocks of two machines are never compared. The holder has
// stopped by then: it counts the TTL from before its write.
//
// # Lost answers
//
// A write whose answer was lost may have been carried out. The next write then finds an unexpected revision and reads
// the record. With the session's own token as holder, it goes on from there. With the token as the last committer at
// this position, the commit was done. In all other cases the lock is lost.
//
// # Reads
//
// A read must return the last commit of the previous holder. The stream's leader guarantees that; a replica's direct
// answer may be old. So direct reads are allowed only with one replica.
package kvstore
