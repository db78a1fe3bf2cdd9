package fsm

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/chatlane/chatlane/internal/lane"
)

var (
	ErrBusy          = errors.New("locked by another turn")  // for longer than the caller waited
	ErrLockLost      = errors.New("lock lost")               // expired or taken over: nothing of this turn may have effect
	ErrCursorMoved   = errors.New("cursor moved")            // another turn committed in between
	ErrStreamChanged = errors.New("stream was made anew")    // the lane was committed under a newer stream
	ErrClosed        = errors.New("session closed")          // committed or closed before
	ErrTooLarge      = errors.New("record too large")        // for the store: the turn is at fault
	ErrUnavailable   = errors.New("state store unavailable") // wraps every failure of the store itself, no fault of the turn
	ErrUnreadable    = errors.New("record is not readable")  // by this version; with ErrUnavailable: the turn waits for a newer worker
	ErrNoState       = errors.New("no state belongs to it")
)

const Schema = 1 // version of written records

// Position is an update's position in the stream.
type Position struct {
	Stream int64     // the stream's creation time, Unix nanoseconds: its identity
	Seq    uint64    // stream sequence
	Update int64     // Telegram's update id; 0 is never a duplicate
	Stored time.Time // by the broker: the only clock that ages seen ids
}

// For is the same position for another update that is done with this one.
func (p Position) For(update int64) Position {
	p.Update = update
	return p
}

// ID is "<stream>:<sequence>", as records name the position.
func (p Position) ID() string { return string(p.append(nil)) }

func (p Position) append(b []byte) []byte {
	b = strconv.AppendInt(b, p.Stream, 10)
	return strconv.AppendUint(append(b, ':'), p.Seq, 10)
}

func ParsePosition(id string) (stream int64, seq uint64, ok bool) {
	s, q, found := strings.Cut(id, ":")
	stream, err := strconv.ParseInt(s, 10, 64)
	seq, err2 := strconv.ParseUint(q, 10, 64)
	return stream, seq, found && err == nil && err2 == nil
}

// Keys name what one turn locks and loads.
type Keys struct {
	Lane      string // lane key, "42:c:100"
	Home      string // lane key by chat: the hash tag of the lane's records
	State     string // from Strategy.Key; empty for an update without state
	StateHome string // hash tag of the state's record; where it differs from Home (global_user), commit takes two steps
	Shared    bool   // turns of other lanes may use this state: it needs a lock of its own
}

// KeysOf names what a turn in lane k locks and loads. by is what lanes are made of.
func KeysOf(k lane.Key, at lane.Scope, by lane.By, s Strategy) Keys {
	state, home := s.Key(at)
	keys := Keys{Lane: string(k), Home: at.Home(), State: state, StateHome: home, Shared: !Contained(by, s)}
	if by == lane.ByUser {
		keys.Home = string(k) // such a lane crosses chats
	}
	return keys
}

// Separate reports whether the state has its own lock: it is shared, or in another slot than the lane.
func (k Keys) Separate() bool { return k.State != "" && (k.Shared || k.StateHome != k.Home) }

// Store opens sessions. Implementations are safe for concurrent use.
type Store interface {
	// Open locks the lane (and a separate state), then loads both. It waits for a lock until ctx ends: ErrBusy.
	Open(ctx context.Context, k Keys, at Position) (*Session, error)
}

// Admin is a store's side for operators, readiness and tests.
type Admin interface {
	Ping(ctx context.Context) error                   // nil if the store can be reached and written to
	Peek(ctx context.Context, k Keys) (Record, error) // without a lock: may be outdated when it returns
	// Edit changes the state under the locks of lane and state, for which it waits until ctx ends:
	// ErrBusy. A turn commits before it, or has lost its locks and is refused after it. Cursor and
	// journal stay. An error of change changes nothing.
	Edit(ctx context.Context, k Keys, change func(c *Conversation) error) error
	Forget(ctx context.Context, k Keys) error // the state and everything of the lane, once their locks are free
	// Move moves a state to another lane under both locks, unless the old state is empty or the new one is not.
	Move(ctx context.Context, from, to Keys) (moved bool, err error)
}

type Conversation struct {
	State string
	Data  []byte
	Meta  []byte // see Session.Meta
}

// Gone reports whether nothing is left to keep. Meta alone is nothing.
func (c Conversation) Gone() bool { return c.State == "" && len(c.Data) == 0 }

// Record is what a store keeps of one lane and one state.
type Record struct {
	Stream int64  // of the last commit; 0 before the first
	Cursor uint64 // stream sequence of the last commit
	Locked bool   // a session holds the lane

	State string
	Data  []byte
	Meta  []byte

	Journal  map[int][]byte // of the unfinished turn
	Turn     string         // Position.ID of that turn; empty without a journal
	Attempts int            // failed ones of that turn
}
