package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	ta "github.com/mymmrac/telego/telegoapi"
)

// Sentinels for errors.Is. An *Error matches them by its code.
var (
	ErrBadRequest   = errors.New("bad request")             // 400
	ErrUnauthorized = errors.New("token refused")           // 401
	ErrBlocked      = errors.New("bot may not write there") // 403: blocked, kicked, deactivated
	ErrConflict     = errors.New("webhook and polling at once")
	ErrTooMany      = errors.New("too many requests") // 429, see Error.RetryAfter
	ErrServer       = errors.New("bot api failed")    // 5xx
	ErrMigrated     = errors.New("group became a supergroup")
	ErrNotModified  = errors.New("message is not modified")

	// ErrUnreachable: the call did not reach the Bot API and has had no effect.
	ErrUnreachable = errors.New("bot api is unreachable")
	// ErrAnswerLost: the call may have had its effect, but its answer was lost.
	ErrAnswerLost = errors.New("answer of the bot api was lost")
	// ErrMaybeSent: an at-most-once call may have had its effect, and is not made again.
	ErrMaybeSent = errors.New("may have been sent")
	// ErrClosed: the call came after its turn was over.
	ErrClosed = errors.New("turn is over")
)

// Error is an answer of the Bot API that refuses the call.
type Error struct {
	Method      string
	Code        int // 300 to 999; the HTTP status if the answer has none
	Description string
	RetryAfter  time.Duration // above 0 for every 429
	MigrateTo   int64         // the supergroup that the group became, else 0
	Into        int64         // of a 429: the chat that the call sends into; 0 if it sends nothing, or the chat's number is not known
	Gateway     bool          // made by a gateway on the way, not by the Bot API
}

func (e *Error) Error() string {
	text := fmt.Sprintf("telegram %s: %d %s", e.Method, e.Code, e.Description)
	if e.RetryAfter > 0 {
		text += fmt.Sprintf(" (retry after %v)", e.RetryAfter)
	}
	return text
}

// Is matches the sentinels by the code.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrBadRequest:
		return e.Code == http.StatusBadRequest
	case ErrUnauthorized:
		return e.Code == http.StatusUnauthorized
	case ErrBlocked:
		return e.Code == http.StatusForbidden && !e.Gateway
	case ErrConflict:
		return e.Code == http.StatusConflict
	case ErrTooMany:
		return e.Code == http.StatusTooManyRequests
	case ErrServer:
		return e.Code >= http.StatusInternalServerError
	case ErrMigrated:
		return e.MigrateTo != 0
	case ErrNotModified:
		return e.Code == http.StatusBadRequest && strings.Contains(e.Description, "message is not modified")
	}
	return false
}

// As converts a refusal of the Bot API's own to telego's error type.
func (e *Error) As(target any) bool {
	to, ok := target.(**ta.Error)
	if !ok || e.Gateway {
		return false
	}
	*to = &ta.Error{ErrorCode: e.Code, Description: e.Description}
	if e.RetryAfter > 0 || e.MigrateTo != 0 {
		(*to).Parameters = &ta.ResponseParameters{
			MigrateToChatID: e.MigrateTo, RetryAfter: int(e.RetryAfter / time.Second),
		}
	}
	return true
}

// Blameless reports that a later attempt may succeed and no handler is at fault.
func (e *Error) Blameless() bool {
	return e.Code == http.StatusTooManyRequests || e.Code >= http.StatusInternalServerError
}

// Final reports that the same call would get the same answer, so that the journal keeps it. A gateway's
// refusal is final only for the size of the call.
func (e *Error) Final() bool {
	switch {
	case e.Code < 400 || e.Code >= 500 || e.RetryAfter > 0:
		return false
	case e.Code == http.StatusRequestEntityTooLarge:
		return true
	case e.Gateway, strings.Contains(e.Description, "temporarily"):
		return false
	}
	switch e.Code {
	case http.StatusUnauthorized, http.StatusRequestTimeout, http.StatusConflict, http.StatusTooManyRequests:
		return false // these depend on the token or the moment, not on the call
	}
	return true
}

// TransportError is a call without an answer; it is ErrUnreachable or ErrAnswerLost.
type TransportError struct {
	Method string
	Lost   bool  // the request was on its way; else it never left
	Broken bool  // an answer came, and is none that can be read
	Cause  error // without the URL, which holds the token
}

func (e *TransportError) Error() string {
	text := fmt.Sprintf("telegram %s: %v: %v", e.Method, e.sentinel(), e.Cause)
	if e.Broken {
		text += "; the call may have had its effect"
	}
	return text
}

func (e *TransportError) Is(target error) bool { return target == e.sentinel() }

func (e *TransportError) Unwrap() error { return e.Cause }

// Blameless reports that no handler is at fault; a handler that ran out of time is. A broken answer uses up an attempt,
// because it may be as broken each time.
func (e *TransportError) Blameless() bool {
	return !e.Broken && !errors.Is(e.Cause, context.Canceled) && !errors.Is(e.Cause, context.DeadlineExceeded)
}

func (e *TransportError) sentinel() error {
	if e.Lost {
		return ErrAnswerLost
	}
	return ErrUnreachable
}

// MaybeSentError is an at-most-once call whose outcome is unknown.
type MaybeSentError struct {
	Method string
	cause  string // text, since callers must not branch on it
}

func (e *MaybeSentError) Error() string {
	text := fmt.Sprintf("telegram %s: %v", e.Method, ErrMaybeSent)
	if e.cause != "" {
		text += ": " + e.cause
	}
	return text
}

// Final is true: the journal keeps the intent, so another attempt gets the same error.
func (e *MaybeSentError) Final() bool { return true }

func (e *MaybeSentError) Is(target error) bool { return target == ErrMaybeSent }

// RetryAfter is how long Telegram asks to wait, 0 if err says nothing of it.
func RetryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.RetryAfter
	}
	return 0
}

// IsServerFault reports that the Bot API fails or is unreachable.
func IsServerFault(err error) bool {
	return errors.Is(err, ErrServer) || errors.Is(err, ErrUnreachable)
}
