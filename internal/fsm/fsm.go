// Package fsm keeps what a lane must not forget between turns: the state of its
// conversations, its cursor, and the journal of the turn under way.
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
	// ErrClosed says that the session was committed, closed or abandoned before.
	ErrClosed = errors.New("session closed")
	// ErrUnavailable wraps every failure of the store itself: broken infrastructure, no fault of the turn.
	ErrUnavailable = errors.New("state store unavailable")
)

// Position is the place of one update in the stream.
type Position struct {
	Stream int64     // creation time of the stream, Unix nanoseconds: its identity
	Seq    uint64    // stream sequence
	Update int64     // Telegram's update id; 0 is never looked up among the seen ones
	Stored time.Time // when the broker stored it: the only clock that ages what was seen
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

// Store opens sessions. Implementations are safe for concurrent use.
type Store interface {
	// Open locks the lane (and a shared state), then loads both. It waits for a
	// lock until ctx ends, and then fails with ErrBusy.
	Open(ctx context.Context, k Keys, at Position) (*Session, error)
}

// Session is one turn's hold on its lane and its state.
type Session struct{}
