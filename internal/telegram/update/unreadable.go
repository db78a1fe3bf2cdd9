package update

import (
	"errors"
	"fmt"
)

// Reason says why a body cannot be routed. The set is closed: it is a metric's label.
type Reason string

// The reasons. Such updates are stored all the same, as dead letters.
const (
	TooBig      Reason = "too_big"      // over MaxBody
	TooDeep     Reason = "too_deep"     // nested deeper than MaxDepth
	NotJSON     Reason = "not_json"     // malformed or cut off
	NotObject   Reason = "not_object"   // JSON, but no object
	NoUpdateID  Reason = "no_update_id" // absent, or no whole number of 0 or more
	NoPayload   Reason = "no_payload"   // no member that is an object
	BadPayload  Reason = "bad_payload"  // a known type that is no object
	TwoPayloads Reason = "two_payloads" // more than one member that is an object
	BadID       Reason = "bad_id"       // a chat's or user's id that is no whole number
	TooLong     Reason = "too_long"     // an id or a type's name that is longer than headers of a message may be
	NoRoute     Reason = "no_route"     // a known type without the chat or user that it must have
)

// maxName is the longest id or name of a type, in bytes: they become headers. Telegram's have 100 at most.
const maxName = 512

// Reasons lists them all.
func Reasons() []Reason {
	return []Reason{
		TooBig, TooDeep, NotJSON, NotObject, NoUpdateID, NoPayload, BadPayload, TwoPayloads, BadID, TooLong, NoRoute,
	}
}

// ErrUnreadable matches every error of [Peek].
var ErrUnreadable = errors.New("update is unreadable")

// UnreadableError carries the reason. Its text shows nothing of the update.
type UnreadableError struct{ Reason Reason }

func (e *UnreadableError) Error() string { return fmt.Sprintf("%v: %s", ErrUnreadable, e.Reason) }

func (e *UnreadableError) Unwrap() error { return ErrUnreadable }

// ReasonOf is the reason of an error of Peek's, empty for any other.
func ReasonOf(err error) Reason {
	if e, ok := errors.AsType[*UnreadableError](err); ok {
		return e.Reason
	}
	return ""
}

func unreadable(r Reason) error { return &UnreadableError{Reason: r} }
