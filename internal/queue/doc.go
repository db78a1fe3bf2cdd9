// Package queue is the way from ingress to a partition's owner. The [Publisher] stores an [Update] as a JetStream
// message, and the owner receives it as a [Delivery].
//
//   - ownership: one worker owns a partition at a time, and receives its updates in order.
//   - parking: parked lanes, and lanes that flood their partition.
//   - deadletter: updates that need a person's decision.
//   - timer: scheduled messages.
//
// UPDATES holds waiting and running updates, PARKED those of parked lanes, DEADLETTERS those that need a person,
// TIMERS scheduled ones. A copy is written to the next stream before the original is acknowledged. So an update may
// be in two streams for a moment, and is never in none.
package queue
