package fsm

import (
	"context"
	"errors"
	"time"
)

// Why a session is refused. Callers branch on these with errors.Is.
var (
	// ErrBusy says that another holder has the lock, longer than the caller waited.
	ErrBusy = errors.New("locked by another turn")
	// ErrLockLost says that the lock expired or was taken: nothing of this turn may have effect.
	ErrLockLost = errors.New("lock lost")
	// ErrCursorMoved says that another turn committed in between.
	ErrCursorMoved = errors.New("cursor moved")
	// ErrStreamChanged says that the lane was committed under a newer stream.
	ErrStreamChanged = errors.New("stream was made anew")
	// ErrClosed says that the session was committed or closed before.
	ErrClosed = errors.New("session closed")
	// ErrTooLarge says that state, or a journal entry, is larger than the store takes: the turn's fault.
	ErrTooLarge = errors.New("record too large")
	// ErrUnavailable wraps every failure of the store itself: broken infrastructure, no fault of the turn.
	ErrUnavailable = errors.New("state store unavailable")
	// ErrUnreadable says that one record is not one that this version can read, as after a step
	// back to an older release. It comes with ErrUnavailable: it waits for a worker that can.
	ErrUnreadable = errors.New("record is not readable")
)

// Schema is the version that records are written with.
const Schema = 1

// Position is the place of one update in the stream.
type Position struct {
	Stream int64     // creation time of the stream, Unix nanoseconds: its identity
	Seq    uint64    // stream sequence
	Update int64     // Telegram's update id; 0 is never looked up among the seen ones
	Stored time.Time // when the broker stored it: the only clock that ages what was seen
}

// For is the same place for another update that is done with this one.
func (p Position) For(update int64) Position {
	p.Update = update
	return p
}

// Keys name what one turn locks and loads.
type Keys struct {
	Lane  string // lane key, "42:c:100"
	Home  string // lane key by chat: the hash tag of the lane's records
	State string // state key from Strategy.Key; empty when the update has none
	// StateHome is the hash tag of the state's record. Where it differs from Home
	// (global_user), commit takes two steps.
	StateHome string
	// Shared says that other lanes may touch this state, so that it needs a lock of its own.
	Shared bool
}

// Separate says that the state has a lock of its own: other lanes may touch it, or
// it lives where the lane's lock cannot be checked in the same step.
func (k Keys) Separate() bool { return k.State != "" && (k.Shared || k.StateHome != k.Home) }

// Store opens sessions. Implementations are safe for concurrent use.
type Store interface {
	// Open locks the lane (and a separate state), then loads both. It waits for a
	// lock until ctx ends, and then fails with ErrBusy.
	Open(ctx context.Context, k Keys, at Position) (*Session, error)
}

// Admin is what operators, readiness and tests ask of a store.
type Admin interface {
	// Ping tells whether the store can be reached and written to.
	Ping(ctx context.Context) error
	// Peek reads without a lock: what it tells may be old when it returns.
	Peek(ctx context.Context, k Keys) (Record, error)
	// Forget removes the state and everything of the lane, once their locks are free.
	Forget(ctx context.Context, k Keys) error
	// Move takes a state to another lane, once their locks are free. It changes
	// nothing where the old state is empty or the new one is not.
	Move(ctx context.Context, from, to Keys) (moved bool, err error)
}

// Record is what a store keeps of one lane and one state.
type Record struct {
	Stream int64  // of the last commit; 0 before the first
	Cursor uint64 // stream sequence of the last commit
	Locked bool   // somebody holds the lane

	State string
	Data  []byte
	Meta  []byte

	Journal  map[int][]byte // of the turn that has not ended
	Attempts int            // that it has failed
}
