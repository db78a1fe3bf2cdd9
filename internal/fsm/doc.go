// Package fsm keeps what a lane needs between turns: the state of its conversations, its cursor, and the journal of
// the turn under way. A [Store] opens a [Session] for each turn; the store's side of it is a [Hold]. All stores make
// the same promises, which package fsmtest tests.
//
// # The turn's life
//
//	Open: lock the lane (then a separate state), load both
//	  |
//	  +-- cursor >= position, update id seen, or the state has this turn's
//	  |   mark: Done; commit the cursor alone
//	  |
//	  +-- State, SetState...: buffered
//	  |   Record: written through, refused once another session has the lock
//	  |
//	Commit: lock still ours, cursor and stream as loaded?
//	        then state + cursor + seen id + end of journal + unlock, in one step
//
// # Two locks
//
// A state that other lanes may use, or whose record is in another slot, has its own lock. A session acquires it after
// the lane's, and waits for nothing while it holds it. A turn that waits for a state lock holds a lane lock; only
// turns of that lane wait for that one, and they hold nothing yet. So there is no deadlock.
//
// # Two steps
//
// If one step cannot write lane and state, the session writes the state first, with a mark that names the lane and
// the turn; then the lane's cursor; then it removes the mark together with the state's lock. If the worker dies in
// between, the repeated turn finds its mark, is Done, and moves only the cursor. The mark is kept per lane, because a
// turn of another lane may write the state before the first one is repeated.
//
// # Fencing
//
// Every write checks, in the same step, the lock's value: a random token that no other session has. A commit also
// checks cursor and stream as loaded. No clock decides: a lock that outlives its holder costs time, and a holder that
// outlives its lock is refused. The renewer's monotonic clock only decides when a turn stops.
package fsm
