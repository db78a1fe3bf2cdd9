// Package turn takes one update through its turn: it locks the lane, has the router answer, commits and acknowledges.
//
//	Start ── urgent run, in parallel to the lane, if an urgent handler may want the update
//	  │
//	 run ─── wait: urgent run not over, partition paused (breaker), album incomplete
//	  │
//	stages   admit → open → skipDuplicate → admitInherited → joinAlbum → finishDiscard
//	  │      → retryUrgent → skipCancelled → suspect → skipLate → dispatch
//	  │      → commit → acknowledge
//	  │                                 │ every stage
//	  │ finished                        ▼ error
//	  ▼                               settle ── verdict: wait, retry, dead letter, leave
//	next update of the lane             │
//	                                    ▼
//	                          the same update again, in place or parked
//
// pipeline.go lists the stages in order, each with its file. Two rules hold throughout:
//
//   - verdict.go alone decides what an error means for the update.
//   - A turn acknowledges only after its own or an earlier attempt's commit. So every acknowledgement is true,
//     whichever worker sends it.
package turn
