// Package turn is the pipeline of one turn: open the session, ask whether the
// update is done already, answer it with the router, commit, acknowledge.
//
// What an error means for the update (retry, wait, dead letter) is decided in
// verdict.go and nowhere else. A turn acknowledges only after its commit
// succeeded, or after the session said that an earlier attempt's did, so that
// every acknowledgement is true, whoever sends it.
package turn
