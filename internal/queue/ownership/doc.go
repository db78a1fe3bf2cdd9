// Package ownership makes one worker the owner of a partition at a time, and gives it the partition's updates in
// order and without loss. Each partition has one durable consumer on the work-queue stream UPDATES. The holder of
// the consumer's pin owns the partition; nothing else decides that.
//
//	         standby: pull 1 without a pin
//	                   |
//	    a message comes under a new pin; it is kept nowhere
//	                   |
//	     reset the consumer to its acknowledgement floor
//	                   |
//	.----> new inbox; expect consumer sequence 1, 2, 3, ...
//	|                  |
//	|     +------------+-------------+------------------+
//	|     |            |             |                  |
//	|   a gap, a    silence, and   423, or no      stop, or the plan
//	|  redelivery   the broker's   answer for      names another owner
//	|     |         books differ   PinTTL               |
//	|     v            v             |           let running attempts end,
//	'-- drop what has not started,   |           renewing the pin
//	    reset                        v                  |
//	                        cancel running attempts reset, unpin
//	                                 |                  |
//	                               standby           standby
//
// # Why this keeps the order
//
// On a work queue an acknowledged message is gone, so after a reset comes exactly what is unfinished, in stream
// order. The reset alone leaves a hole: a pull request of the former owner, still waiting at the server, would take
// messages that nobody works on. The pin closes it: the server answers a stale pin with 423. The owner's own request
// from before the reset may take messages too, but its inbox was closed first, so they leave a gap in the consumer's
// sequence, and a gap causes a reset. Lost deliveries with nothing behind them leave no gap; for those the watchdog
// compares what the broker waits for with what is known here.
//
// The broker pins with a message alone. If a partition has only parked updates, a standby stores a message that
// belongs to no lane ([parking.Wake]).
//
// Acknowledgements are not fenced. A late one of a former owner is harmless, because an update is acknowledged only
// when it is finished. One that meets a reset is lost, and the lane's cursor skips the update when it comes again.
//
// # Standbys and bystanders
//
// The plan ([fleet.Presence]) decides which worker asks for the pin, and may be wrong for a moment. A standby keeps
// a pull request waiting, so that failover needs no agreement. A bystander does not ask, so that it does not come in
// between while a partition moves, unless updates wait and nobody takes them.
//
// docs/laws.md names the test of each guard, docs/decisions/0001-own-pull-protocol.md why feed.go pulls itself.
package ownership
