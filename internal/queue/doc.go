// Package queue carries updates from ingress to the one worker that owns their
// partition, through JetStream, in order and without loss.
//
// # Owning a partition
//
// Each partition has one durable consumer on the work-queue stream UPDATES. Who
// holds the consumer's pin owns the partition; nothing else decides that.
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
//	|  redelivery   the broker's   answer for      says: elsewhere
//	|     |         books differ   PinTTL               |
//	|     v            v             |           let running turns end,
//	'-- drop what has not started,   |           renewing the pin
//	    reset                        v                  |
//	                        cancel running turns    reset, unpin
//	                                 |                  |
//	                               standby           standby
//
// Why this keeps the order. On a work queue an acknowledged message is gone, so
// what comes after a reset is exactly what is not finished, in stream order. The
// reset alone leaves a hole: a pull request of the former owner, still waiting at
// the server, would take messages that nobody works on; the pin closes it, since
// the server answers a stale pin with 423. And a request of the owner's own, from
// before the reset, may take messages too: it went to an inbox that is given up
// first, so they leave a gap in the consumer's sequence, and a gap is a reset.
// Deliveries that vanish with nothing behind them leave no gap; the watchdog
// compares what the broker waits for with what is known here.
//
// The broker pins with a message alone. Where all that is left of a partition is
// parked, who stands by stores one that belongs to no lane, so that there is an
// owner to wake the parked lanes.
//
// Acknowledgements are not fenced: the broker takes a late one of a former owner.
// That is harmless because an update is acknowledged only when it is finished, and
// it makes the other direction harmless too: an acknowledgement that meets a reset
// on its way is lost, the update comes again, and its lane's cursor skips it.
//
// docs/laws.md names the test of each of these guards, and says which of them stand
// behind each other.
//
// # Where an update can be
//
// UPDATES holds what waits or is being worked on, PARKED what waits aside with its
// lane, DEADLETTERS what waits for a person. TIMERS holds what is still to come: see
// package timer. A copy is written to the next place
// before the former one is acknowledged, so an update may stand in two places for
// a moment, and is never in none.
//
// A lane is parked when its next attempt is not soon, and when it floods: when it
// holds a large share of a window that is nearly full, so that the other lanes of
// the partition would wait behind it at the broker.
package queue
