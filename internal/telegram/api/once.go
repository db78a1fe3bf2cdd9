package api

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/chatlane/chatlane/internal/telegram/journal"
)

type onceKey struct{}

// AtMostOnce marks the calls under ctx: one that may have had its effect fails with ErrMaybeSent instead of
// being repeated.
func AtMostOnce(ctx context.Context) context.Context { return context.WithValue(ctx, onceKey{}, true) }

func isAtMostOnce(ctx context.Context) bool {
	once, _ := ctx.Value(onceKey{}).(bool)
	return once
}

// journaled answers a call from the journal, or makes it and records the outcome before the caller gets it.
func (c *Calls) journaled(ctx context.Context, r request) (result json.RawMessage, outcome string, err error) {
	r.once, r.kept = c.client.once[r.method] || isAtMostOnce(ctx), true
	d := r.digest()
	s := c.journal.Begin(d)
	if s.Err != nil {
		return nil, outError, s.Err
	}
	if s.Found {
		switch s.Old.Status {
		case journal.Result:
			return s.Old.Result, outReplayed, nil
		case journal.Refused:
			return nil, outReplayed, refusal(s.Old.Refusal)
		case journal.Intent:
			return nil, outMaybeSent, &MaybeSentError{Method: r.method, cause: "an earlier attempt ended before the answer"}
		case journal.Void:
		}
	}
	if r.once {
		if err := c.journal.Record(ctx, s, journal.Entry{Digest: d, Name: r.method, Status: journal.Intent}); err != nil {
			return nil, outError, err
		}
	}
	result, err = c.client.deliver(ctx, c.token, r)
	if rerr := c.outcome(ctx, r, s, d, result, err); rerr != nil {
		return nil, outError, rerr
	}
	return result, outcomeOf(err), err
}

func (c *Calls) outcome(ctx context.Context, r request, s journal.Slot, d journal.Digest, result json.RawMessage, err error) error {
	var no *Error
	switch {
	case err == nil:
		return c.journal.Record(ctx, s, journal.Entry{Digest: d, Name: r.method, Status: journal.Result, Result: result})
	case errors.As(err, &no) && no.Final():
		return c.journal.Record(ctx, s, journal.Entry{Digest: d, Name: r.method, Status: journal.Refused, Refusal: no.kept()})
	case r.once && (no != nil && no.Code < 500 || errors.Is(err, ErrUnreachable)):
		// If this cannot be recorded, the next attempt assumes that the call may have been sent. The error at
		// hand matters more.
		_ = c.journal.Record(ctx, s, journal.Entry{Digest: d, Name: r.method, Status: journal.Void})
	}
	return nil
}

func (e *Error) kept() *journal.Refusal {
	return &journal.Refusal{Method: e.Method, Code: e.Code, Description: e.Description, RetryAfter: e.RetryAfter, MigrateTo: e.MigrateTo}
}

func refusal(k *journal.Refusal) *Error {
	return &Error{Method: k.Method, Code: k.Code, Description: k.Description, RetryAfter: k.RetryAfter, MigrateTo: k.MigrateTo}
}

// digest leaves out the boundary of a form, which differs between equal calls.
func (r request) digest() journal.Digest {
	if r.files == nil {
		return journal.DigestOf(r.method, r.params, nil)
	}
	return journal.DigestOf(r.method, r.params, r.files.digest[:])
}
