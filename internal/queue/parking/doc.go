// Package parking puts lanes aside: updates of a parked lane wait in the stream PARKED,
// in order, and take no place in their partition's window.
//
// A lane is parked when its next attempt is not soon, and when it floods: when it holds
// a large share of a window that is nearly full, so that the other lanes of the
// partition would wait behind it at the broker.
//
// # What keeps the order
//
// Copies of a lane are written in order, under the lock of its [parkedLane], and worked
// off by jobs of the lane, one at a time. Everything in PARKED is older than everything
// of the lane that still waits in UPDATES: a flood is therefore copied from its oldest
// update on, the running one included. An update that stands in both streams, or twice
// in PARKED, is skipped by its lane's cursor the second time.
//
// # What keeps a copy from being lost
//
// An owner lists the parked lanes when its term begins ([Lanes.Load]). A copy that its
// predecessor writes after that list is an orphan: nobody works it off. So between a
// copy and the acknowledgement of its original the owner asks the broker for its pin
// ([Term.Confirm]); a former owner gets [queue.ErrPinLost], and the original stays.
//
//	copy to PARKED ---> pin confirmed? ---> acknowledge the original
//	                         |
//	                        no: nothing more is copied; the copy is an orphan
//
// Orphans would stand before older updates that the new owner parks later. So the first
// copy of a lane expects its subject to be empty, and prunes it if it is not. Each
// further copy of a flood expects the one before it, and stops where another owner has
// pruned. An owner also looks for orphans once a minute. Pruning sees what is there,
// then asks for the pin, then removes no more than it saw: what a successor has parked
// in between stays.
//
// docs/decisions/0002-parked-lanes.md has what was tried, docs/laws.md the test of each
// guard.
package parking
