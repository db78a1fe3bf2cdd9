// Package fsm keeps what a lane must not forget between turns: the state of its
// conversations, its cursor, and the journal of the turn under way.
//
// A [Store] opens a [Session] for each turn. The session owns the buffer, the
// journal as it was found, and the renewer of the lock; the store's side of it is
// a [Hold]. All stores keep the same promises, and fsmtest holds them to it.
//
// # The turn's life
//
//	Open: lock the lane (then a separate state), load both
//	  |
//	  +-- cursor >= position, update id seen, or the state says "that turn
//	  |   wrote me": Done; commit the cursor alone
//	  |
//	  +-- State, SetState...: buffered
//	  |   Record: written through, refused once the lock is another's
//	  |
//	Commit: lock still ours, cursor and stream as loaded?
//	        then state + cursor + seen id + end of journal + unlock, in one step
//
// # Two locks
//
// A state that other lanes may touch, or whose records live in another slot, has
// a lock of its own. It is taken after the lane's and nothing is waited for while
// it is held: a turn that waits for a state lock holds a lane lock, which only turns of
// that lane wait for, and those hold nothing yet. So there is no cycle.
//
// # Two steps
//
// Where lane and state cannot be written in one step, the state is written first,
// with a mark that says which turn of which lane wrote it; then the lane's cursor;
// then the mark is taken away together with the state's lock. A turn that died in
// between finds its mark, is Done, and only the cursor is left to move. The mark
// is kept per lane: another lane may write the state before the dead turn comes
// again, and must not wipe out that this one has been here.
//
// # What fences
//
// The lock's value, a random token that no other session has, checked inside the
// very step that writes. Then the cursor and the stream as they were loaded. No
// clock: a lock that outlives its holder costs time, a holder that outlives its
// lock is refused. The renewer's clock is monotonic and only decides when a turn has
// to stop, not what it may write.
package fsm
