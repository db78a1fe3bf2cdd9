package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v5"
)

type request struct {
	method string
	params json.RawMessage
	files  *files       // nil without an upload
	once   bool         // at most once: no attempt after one that may have had its effect
	kept   bool         // its outcome goes to the journal
	held   func() error // whether its turn may still have effect; nil: always
}

// deliver waits for the limit, then makes attempts until one is answered. It returns only errors that a retry
// at once cannot change.
func (c *Client) deliver(ctx context.Context, token Token, r request) (json.RawMessage, error) {
	chat := chatOf(r.params)
	place := c.placeOf(ctx, token, r, chat)
	if err := c.wait(ctx, place, r.method); err != nil {
		return nil, err
	}
	moved, wait := false, backoff.BackOff(nil)
	for attempt := 1; ; attempt++ {
		result, err := c.attempt(ctx, token, r)
		if err == nil {
			return result, nil
		}
		var no *Error
		switch {
		case errors.As(err, &no) && no.MigrateTo != 0 && !moved:
			params, ok := withChat(r.params, no.MigrateTo)
			if !ok {
				return nil, err
			}
			c.migrated(token, chat, no.MigrateTo)
			r.params, place.chat, moved = params, no.MigrateTo, true
			continue
		case errors.Is(err, ErrTooMany):
			c.block(ctx, place, no.RetryAfter)
			no.Into = place.into
			return nil, err
		case attempt >= c.cfg.Attempts, !r.again(err):
			return nil, c.settled(r, err)
		}
		c.metrics.retries.Inc()
		if wait == nil {
			wait = c.newBackOff()
		}
		if pause(ctx, wait.NextBackOff()) != nil {
			return nil, c.settled(r, err)
		}
	}
}

func (r request) again(err error) bool {
	return errors.Is(err, ErrUnreachable) || errors.Is(err, ErrServer) && !r.once
}

// settled counts lost answers. An at-most-once call may have had its effect after a 5xx as well.
func (c *Client) settled(r request, err error) error {
	lost := errors.Is(err, ErrAnswerLost)
	if lost {
		c.metrics.lost.Inc()
	}
	if r.once && (lost || errors.Is(err, ErrServer)) {
		return &MaybeSentError{Method: r.method, cause: err.Error()}
	}
	return err
}

type laterError interface {
	error
	RetryAfter() time.Duration
}

// place is what a call counts for.
type place struct {
	bot, chat int64
	kind      string
	into      int64 // the chat that it sends into, as the caller named it; see Error.Into
}

func (c *Client) placeOf(ctx context.Context, token Token, r request, chat int64) place {
	kind, known := c.kinds[r.method]
	if !known {
		kind = kindOf(r.method)
	}
	p := place{bot: token.Bot(), chat: chat, kind: kind}
	if chat == 0 {
		p.chat = namedChat(r.params)
	}
	switch {
	case kind == kindMessage, kind == kindEdit && p.chat != 0:
		p.into = chat
	case kind == kindEdit:
		p.kind = kindInlineEdit
	}
	if kind == kindMessage && isBulk(ctx) {
		p.kind = kindBulk
	}
	return p
}

func (c *Client) wait(ctx context.Context, p place, method string) error {
	if c.limiter == nil {
		return nil
	}
	err := c.limiter.Wait(ctx, p.bot, p.chat, p.kind)
	if err == nil {
		return nil
	}
	if later, ok := errors.AsType[laterError](err); ok { // in the form of Telegram's own answer
		return &Error{Method: method, Code: http.StatusTooManyRequests, Description: later.Error(), RetryAfter: max(later.RetryAfter(), time.Second), Into: p.into}
	}
	if ctx.Err() != nil {
		return noAnswer(ctx, method, false, err)
	}
	c.metrics.unlimited.Inc()
	return nil
}

// block makes all workers obey a 429.
func (c *Client) block(ctx context.Context, p place, d time.Duration) {
	if c.limiter == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.cfg.RecordTime)
	defer cancel()
	if err := c.limiter.Block(ctx, p.bot, p.chat, p.kind, d); err != nil {
		c.metrics.unlimited.Inc()
	}
}

func (c *Client) migrated(token Token, from, to int64) {
	c.metrics.migrations.Inc()
	if c.cfg.Migrated != nil {
		c.cfg.Migrated(token.Bot(), from, to)
	}
}

func (c *Client) newBackOff() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.Multiplier, b.MaxInterval = c.cfg.Backoff, 2, c.cfg.Backoff<<6
	return b
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (c *Client) timeout(r request) time.Duration {
	d := c.cfg.Timeout
	if r.files != nil {
		d += time.Duration(r.files.size/slowUpload) * time.Second
	}
	if r.method == "getUpdates" {
		var poll struct {
			Timeout int64 `json:"timeout"`
		}
		if json.Unmarshal(r.params, &poll) == nil {
			d += time.Duration(min(max(poll.Timeout, 0), 3600)) * time.Second
		}
	}
	return d
}

// slowUpload is the rate that the timeout of uploads allows for, in bytes a second.
const slowUpload = 256 << 10
