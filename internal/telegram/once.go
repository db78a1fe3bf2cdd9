package telegram

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
)

type onceKey struct{}

// AtMostOnce has the calls under ctx never made again once they may have had their
// effect: they fail with ErrMaybeSent instead.
func AtMostOnce(ctx context.Context) context.Context { return context.WithValue(ctx, onceKey{}, true) }

func isAtMostOnce(ctx context.Context) bool {
	once, _ := ctx.Value(onceKey{}).(bool)
	return once
}

// journaled answers a call from the journal, or makes it and records what came of it
// before anybody else learns of it.
func (c *Calls) journaled(ctx context.Context, r request) (result json.RawMessage, outcome string, err error) {
	r.once, r.kept = c.client.once[r.method] || isAtMostOnce(ctx), true
	d := r.digest()
	s := c.replay.begin(d)
	if s.diverged {
		c.client.metrics.divergences.Inc()
	}
	if s.found {
		switch s.old.status {
		case statusResult:
			c.client.metrics.replays.Inc()
			return s.old.result, outReplayed, nil
		case statusRefusal:
			c.client.metrics.replays.Inc()
			return nil, outReplayed, s.old.refusal
		case statusIntent:
			return nil, outMaybeSent, &MaybeSentError{Method: r.method, cause: "an earlier attempt ended before the answer"}
		case statusVoid:
		}
	}
	if r.once {
		if err := c.record(ctx, s, entry{digest: d, status: statusIntent}); err != nil {
			return nil, outError, err
		}
	}
	result, err = c.client.deliver(ctx, c.token, r)
	if rerr := c.outcome(ctx, r, s, d, result, err); rerr != nil {
		return nil, outError, rerr
	}
	return result, outcomeOf(err), err
}

// outcome records what a call came to, if that will not change.
func (c *Calls) outcome(ctx context.Context, r request, s slot, d digest, result json.RawMessage, err error) error {
	var no *Error
	switch {
	case err == nil:
		return c.record(ctx, s, entry{digest: d, status: statusResult, result: result})
	case errors.As(err, &no) && no.final():
		return c.record(ctx, s, entry{digest: d, status: statusRefusal, refusal: no})
	case r.once && (no != nil && no.Code < 500 || errors.Is(err, ErrUnreachable)):
		// It was not sent. A failure to say so is worth less than the error at hand:
		// the next attempt then believes that it may have been.
		_ = c.record(ctx, s, entry{digest: d, status: statusVoid})
	}
	return nil
}

// record outlives the handler's context: an answer that is there must not be lost
// because the handler ran out of time meanwhile.
func (c *Calls) record(ctx context.Context, s slot, e entry) error {
	raw, err := e.encode()
	if err != nil {
		return fmt.Errorf("encode journal entry: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.client.cfg.RecordTime)
	defer cancel()
	if err := c.replay.journal.Record(ctx, s.index, raw); err != nil {
		return fmt.Errorf("record call in journal: %w", err)
	}
	return nil
}

// digest is over what is sent, but for what differs between equal calls: the
// boundary of a form.
func (r request) digest() digest {
	h := sha256.New()
	_, _ = h.Write([]byte(r.method))
	_, _ = h.Write([]byte{0})
	_, _ = h.Write(r.params)
	if r.files != nil {
		_, _ = h.Write([]byte{0})
		_, _ = h.Write(r.files.digest[:])
	}
	return digest(h.Sum(nil)[:digestLen])
}
