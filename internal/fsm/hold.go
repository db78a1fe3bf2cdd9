package fsm

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"
)

// Hold is a store's side of one session: its locks, and the writes that they
// guard. Once a lock is another's, every write fails with ErrLockLost and changes
// nothing. Record and Renew may be called at once.
type Hold interface {
	// Record keeps a journal entry of this position.
	Record(ctx context.Context, index int, entry []byte) error
	// Fail keeps the number of failed attempts at this position.
	Fail(ctx context.Context, attempts int) error
	// Renew extends the locks by their TTL.
	Renew(ctx context.Context) error
	// Commit writes the change, ends the journal and releases the locks, in one step or
	// in the two that package fsm describes. Called again after an error of unknown
	// outcome, it finds its own work done.
	Commit(ctx context.Context, c Change) error
	// Release releases the locks that are still held.
	Release(ctx context.Context) error
}

// Loaded is what a store found when it opened a session.
type Loaded struct {
	Stream int64 // of the last commit; 0 before the first
	Cursor uint64
	Seen   bool    // the update id was committed within the window
	Wrote  bool    // the state carries the mark of this very turn
	Also   []int64 // with it: the further updates that the turn did

	State string
	Data  []byte
	Meta  []byte

	Journal  map[int][]byte // of this position only
	Attempts int            // of this position only
}

// Change is what a commit writes beside the position.
type Change struct {
	Cursor  uint64  // the lane's cursor from now on
	Also    []int64 // ids of further updates of the lane that the turn has done
	Touched bool    // the state changed
	State   string
	Data    []byte
	Meta    []byte
}

// Gone says that the state's record has nothing left to keep.
func (c Change) Gone() bool { return c.State == "" && len(c.Data) == 0 }

// Lease is how long the locks of a session are valid.
type Lease struct {
	TTL   time.Duration // without renewal
	Since time.Time     // a moment before they were taken
}

// CleanUp gives a release of locks one second, also after the context of the work has ended.
func CleanUp(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), time.Second)
}

// Undo releases a hold that will not become a session, and returns why.
func Undo(ctx context.Context, h Hold, why error) error {
	ctx, cancel := CleanUp(ctx)
	defer cancel()
	return errors.Join(why, h.Release(ctx))
}

// cursorAfter is the cursor once at is committed. It never goes back in one stream.
func (l Loaded) cursorAfter(at Position) uint64 {
	if l.Stream == at.Stream {
		return max(l.Cursor, at.Seq)
	}
	return at.Seq
}

// doneBy says what shows that at was committed before.
func (l Loaded) doneBy(at Position) string {
	switch {
	case l.Stream == at.Stream && l.Cursor >= at.Seq && l.Cursor > 0:
		return DoneByCursor
	case l.Seen && at.Update != 0:
		return DoneBySeen
	case l.Wrote:
		return DoneByState
	}
	return ""
}

// Mark is what the first of two steps leaves beside the state: the turn's position, and
// the further updates that it did, so that the second step is the same whoever takes it.
func Mark(at Position, also []int64) string {
	b := strconv.AppendInt(nil, at.Stream, 10)
	b = strconv.AppendUint(append(b, ':'), at.Seq, 10)
	for _, id := range also {
		b = strconv.AppendInt(append(b, ' '), id, 10)
	}
	return string(b)
}

// ReadMark tells whether a mark is of the turn at a position, and what else that did.
func ReadMark(mark string, at Position) (wrote bool, also []int64) {
	place, rest, _ := strings.Cut(mark, " ")
	if place != Mark(at, nil) {
		return false, nil
	}
	for text := range strings.FieldsSeq(rest) {
		if id, err := strconv.ParseInt(text, 10, 64); err == nil {
			also = append(also, id)
		}
	}
	return true, also
}
