// Package queue is the way from ingress to the worker that owns a partition. The [Publisher]
// stores an [Update] as a JetStream message, and the owner receives it as a [Delivery].
//
// # Packages below
//
//   - ownership: one worker owns a partition at a time, and receives its updates in order.
//   - parking: parked lanes, and lanes that flood their partition.
//   - deadletter: updates that need a person's decision.
//   - timer: scheduled messages.
//
// # Where an update can be
//
// UPDATES holds the updates that wait or are being worked on, PARKED those of parked lanes,
// DEADLETTERS those that need a person, TIMERS those that are scheduled. A copy is written to
// the next stream before the message in the former one is acknowledged. So an update may be
// in two streams for a moment, and is never in none.
package queue
