package fsm

import (
	"context"
	"errors"
	"strconv"
	"time"
)

// Errors of sessions, for errors.Is.
var (
	// ErrBusy means that another session held the lock for longer than the caller waited.
	ErrBusy = errors.New("locked by another turn")
	// ErrLockLost means that the lock expired or was taken over: nothing of this turn may have effect.
	ErrLockLost = errors.New("lock lost")
	// ErrCursorMoved means that another turn committed in between.
	ErrCursorMoved = errors.New("cursor moved")
	// ErrStreamChanged means that the lane was committed under a newer stream.
	ErrStreamChanged = errors.New("stream was made anew")
	// ErrClosed means that the session was committed or closed before.
	ErrClosed = errors.New("session closed")
	// ErrTooLarge means that the state or a journal entry is larger than the store accepts. The turn is at fault.
	ErrTooLarge = errors.New("record too large")
	// ErrUnavailable wraps every failure of the store itself, which is no fault of the turn.
	ErrUnavailable = errors.New("state store unavailable")
	// ErrUnreadable means that this version cannot read a record, as after a step back to an
	// older release. It comes with ErrUnavailable: the turn waits for a newer worker.
	ErrUnreadable = errors.New("record is not readable")
)

// Schema is the version that records are written with.
const Schema = 1

// Position is an update's position in the stream.
type Position struct {
	Stream int64     // creation time of the stream, Unix nanoseconds: its identity
	Seq    uint64    // stream sequence
	Update int64     // Telegram's update id; 0 is never looked up among the seen ones
	Stored time.Time // when the broker stored it: the only clock that ages what was seen
}

// For is the same position for another update that is done with this one.
func (p Position) For(update int64) Position {
	p.Update = update
	return p
}

// ID is the position as records name it: "<stream>:<sequence>".
func (p Position) ID() string { return string(p.append(nil)) }

func (p Position) append(b []byte) []byte {
	b = strconv.AppendInt(b, p.Stream, 10)
	return strconv.AppendUint(append(b, ':'), p.Seq, 10)
}

// Keys name what one turn locks and loads.
type Keys struct {
	Lane  string // lane key, "42:c:100"
	Home  string // lane key by chat: the hash tag of the lane's records
	State string // state key from Strategy.Key; empty when the update has none
	// StateHome is the hash tag of the state's record. Where it differs from Home
	// (global_user), commit takes two steps.
	StateHome string
	// Shared means that turns of other lanes may use this state, so that it needs a lock of its own.
	Shared bool
}

// Separate reports whether the state has a lock of its own: other lanes may use it, or its
// slot is another, so that the lane's lock cannot be checked in the same step.
func (k Keys) Separate() bool { return k.State != "" && (k.Shared || k.StateHome != k.Home) }

// Store opens sessions. Implementations are safe for concurrent use.
type Store interface {
	// Open locks the lane (and a separate state), then loads both. It waits for a
	// lock until ctx ends, and then fails with ErrBusy.
	Open(ctx context.Context, k Keys, at Position) (*Session, error)
}

// Admin is a store's side for operators, readiness and tests.
type Admin interface {
	// Ping returns nil if the store can be reached and written to.
	Ping(ctx context.Context) error
	// Peek reads without a lock: its result may be outdated when it returns.
	Peek(ctx context.Context, k Keys) (Record, error)
	// Forget removes the state and everything of the lane, once their locks are free.
	Forget(ctx context.Context, k Keys) error
	// Move moves a state to another lane, once their locks are free. It changes nothing if
	// the old state is empty, or the new one is not.
	Move(ctx context.Context, from, to Keys) (moved bool, err error)
}

// Record is what a store keeps of one lane and one state.
type Record struct {
	Stream int64  // of the last commit; 0 before the first
	Cursor uint64 // stream sequence of the last commit
	Locked bool   // a session holds the lane

	State string
	Data  []byte
	Meta  []byte

	Journal  map[int][]byte // of the turn that has not ended
	Attempts int            // that it has failed
}
