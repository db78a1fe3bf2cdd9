// Package queue is what travels from ingress to the worker that owns a partition: an
// [Update] in a message of JetStream, put there by the [Publisher], and the [Delivery] that
// an owner gets of it.
//
// # Where the rest is
//
//   - ownership: one worker owns a partition at a time, and gets its updates in order.
//   - parking: lanes that wait aside, and lanes that flood their partition.
//   - deadletter: updates that wait for a person.
//   - timer: messages that are still to come.
//
// # Where an update can be
//
// The stream UPDATES holds what waits or is being worked on, PARKED what waits aside with
// its lane, DEADLETTERS what waits for a person, TIMERS what is still to come. A copy is
// written to the next place before the former one is acknowledged, so an update may stand
// in two places for a moment, and is never in none.
package queue
