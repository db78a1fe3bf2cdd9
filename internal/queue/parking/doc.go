// Package parking puts lanes aside: updates of a parked lane wait in the stream PARKED, in order, outside their
// partition's window. A lane is parked when its next attempt is not soon, and when it floods: it holds a large share
// of a nearly full window, so that the other lanes of the partition would wait behind it at the broker.
//
// # What keeps the order
//
// Copies of a lane are written in order, under the lock of its [parkedLane], and worked off by jobs of the lane, one
// at a time. Everything in PARKED is older than the lane's rest in UPDATES: so a flood is copied from its oldest
// update on, the running one included. The lane's cursor skips an update that it meets a second time.
//
// # What keeps a copy from being lost
//
// An owner lists the parked lanes when its term begins ([Lanes.Load]). A copy that its predecessor writes after that
// is an orphan: nobody works it off. So between a copy and the acknowledgement of its original the owner asks the
// broker for its pin ([Term.Confirm]); a former owner gets [queue.ErrPinLost], and the original stays.
//
//	copy to PARKED ---> pin confirmed? ---> acknowledge the original
//	                         |
//	                        no: nothing more is copied; the copy is an orphan
//
// Orphans would stand before older updates that the new owner parks later. So a lane's first copy expects an empty
// subject, and prunes it if it is not. Each further copy of a flood expects the one before it, and stops where
// another owner has pruned. An owner also looks for orphans once a minute. Pruning sees what is there, confirms the
// pin, and removes no more than it saw: copies of a successor stay.
//
// docs/decisions/0002-parked-lanes.md has what was tried, docs/laws.md the test of each guard.
package parking
