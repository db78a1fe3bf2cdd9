package fsm

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"
)

// Hold is a store's side of one session: its locks and guarded writes. Once another session has a lock,
// every write fails with ErrLockLost and changes nothing. Record and Renew may run at the same time.
type Hold interface {
	Record(ctx context.Context, index int, entry []byte) error // keeps a journal entry of this position
	Fail(ctx context.Context, attempts int) error              // keeps the number of failed attempts at this position
	Renew(ctx context.Context) error                           // extends the locks by their TTL
	// Commit writes the change, ends the journal and releases the locks, in one step or in the two of
	// the package comment. It may be repeated when the outcome is unknown: it recognises its own commit.
	Commit(ctx context.Context, c Change) error
	Release(ctx context.Context) error // releases the locks that are still held
}

// Loaded is what a store found when it opened a session.
type Loaded struct {
	Stream int64 // of the last commit; 0 before the first
	Cursor uint64
	Seen   bool    // the update id was committed within the window
	Wrote  bool    // the state carries the mark of this very turn
	Also   []int64 // further updates in that mark

	State string
	Data  []byte
	Meta  []byte

	Journal  map[int][]byte // of this position only
	Attempts int            // of this position only
}

// Change is what a commit writes beside the position.
type Change struct {
	Cursor  uint64  // the lane's new cursor
	Also    []int64 // further updates of the lane that the turn has done
	Touched bool    // the state changed
	State   string
	Data    []byte
	Meta    []byte
}

func (c Change) Gone() bool { return c.State == "" && len(c.Data) == 0 }

// Edited is what an edit of a loaded state writes. Meta goes with the state.
func Edited(l Loaded, change func(*Conversation) error) (Change, error) {
	c := Conversation{State: l.State, Data: l.Data, Meta: l.Meta}
	if err := change(&c); err != nil {
		return Change{}, err
	}
	if c.Gone() {
		c.Meta = nil
	}
	return Change{Touched: true, State: c.State, Data: c.Data, Meta: c.Meta}, nil
}

// Lease is how long the locks of a session are valid.
type Lease struct {
	TTL   time.Duration // without renewal
	Since time.Time     // a moment before they were taken
}

// CleanUp gives the release of locks a second, even after the end of ctx.
func CleanUp(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), time.Second)
}

// Undo releases a hold that does not become a session, and adds a failure of that to why.
func Undo(ctx context.Context, h Hold, why error) error {
	ctx, cancel := CleanUp(ctx)
	defer cancel()
	return errors.Join(why, h.Release(ctx))
}

// cursorAfter never goes back in one stream.
func (l Loaded) cursorAfter(at Position) uint64 {
	if l.Stream == at.Stream {
		return max(l.Cursor, at.Seq)
	}
	return at.Seq
}

// doneBy is one of the Done constants; empty if at was not committed before.
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

// Sleep waits for d, or returns the cause of ctx.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Token is a random token, by which a session recognises its own locks.
func Token() string {
	var random [16]byte
	_, _ = rand.Read(random[:]) // crypto/rand never fails
	return base64.RawURLEncoding.EncodeToString(random[:])
}

// Mark is the turn's position and its further updates: with it any worker can take the second of two steps.
func Mark(at Position, also []int64) string {
	b := at.append(nil)
	for _, id := range also {
		b = strconv.AppendInt(append(b, ' '), id, 10)
	}
	return string(b)
}

// ReadMark reports whether the turn at a position left the mark, with its further updates.
func ReadMark(mark string, at Position) (wrote bool, also []int64) {
	position, rest, _ := strings.Cut(mark, " ")
	if position != at.ID() {
		return false, nil
	}
	for text := range strings.FieldsSeq(rest) {
		if id, err := strconv.ParseInt(text, 10, 64); err == nil {
			also = append(also, id)
		}
	}
	return true, also
}
