package api

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/mymmrac/telego"

	"github.com/chatlane/chatlane/internal/telegram/journal"
)

// Journal keeps the results of a turn's calls.
type Journal = journal.Store

// Holder is a journal that knows whether its turn may still have effect. Held is asked right before each
// request, since a process that was frozen may have been replaced.
type Holder interface {
	Held() error
}

// CallFunc makes one call of the Bot API.
type CallFunc func(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error)

// Around wraps the calls of a turn. What it passes to next is sent, and is what the journal compares.
type Around func(next CallFunc) CallFunc

// Calls makes the calls of one attempt at one turn. Safe for concurrent use.
type Calls struct {
	client  *Client
	token   Token
	around  []Around
	call    CallFunc
	journal journal.Journal
	bot     func() *telego.Bot

	mu      sync.Mutex
	closed  bool
	cause   error
	running map[*context.CancelCauseFunc]struct{}
}

// Turn begins an attempt. A nil journal keeps nothing. The first of around is outermost.
func (c *Client) Turn(token Token, j Journal, around []Around) *Calls {
	calls := &Calls{client: c, token: token, around: around, journal: journal.Journal{Store: j, Metrics: c.metrics.journal, RecordTime: c.cfg.RecordTime}}
	calls.call = calls.chain(nil)
	calls.bot = sync.OnceValue(func() *telego.Bot { return newBot(calls) })
	return calls
}

// Call makes a call with a Form or anything that encodes as JSON.
func (c *Calls) Call(ctx context.Context, method string, params any) (json.RawMessage, error) {
	method = Method(method)
	if f, ok := params.(Form); ok {
		return c.form(ctx, method, f)
	}
	raw, err := encode(params)
	if err != nil {
		return nil, fmt.Errorf("telegram %s: %w", c.client.metrics.label(method), err)
	}
	return c.call(ctx, method, raw)
}

// Bot is the whole Bot API, by telego. It has no token. Its calls are journaled and end with this attempt,
// whatever context a handler passes.
func (c *Calls) Bot() *telego.Bot { return c.bot() }

// Close refuses further calls with ErrClosed and cause, cancels those under way, and does not wait for them.
func (c *Calls) Close(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.closed, c.cause = true, ErrClosed
	if cause != nil {
		c.cause = fmt.Errorf("%w: %w", ErrClosed, cause)
	}
	for cancel := range c.running {
		(*cancel)(c.cause)
	}
	c.running = nil
}

func (c *Calls) enter(ctx context.Context) (context.Context, func(), error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, nil, c.cause
	}
	ctx, cancel := context.WithCancelCause(ctx)
	if c.running == nil {
		c.running = make(map[*context.CancelCauseFunc]struct{})
	}
	c.running[&cancel] = struct{}{}
	return ctx, func() {
		c.mu.Lock()
		delete(c.running, &cancel)
		c.mu.Unlock()
		cancel(nil)
	}, nil
}

func (c *Calls) chain(f *files) CallFunc {
	call := CallFunc(func(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error) {
		return c.send(ctx, request{method: method, params: params, files: f})
	})
	for _, around := range slices.Backward(c.around) {
		call = around(call)
	}
	return call
}

func (c *Calls) send(ctx context.Context, r request) (json.RawMessage, error) {
	return c.client.observe(ctx, r.method, func(ctx context.Context) (json.RawMessage, string, error) {
		ctx, leave, err := c.enter(ctx)
		if err != nil {
			return nil, outError, fmt.Errorf("telegram %s: %w", c.client.metrics.label(r.method), err)
		}
		defer leave()
		if h, ok := c.journal.Store.(Holder); ok {
			r.held = h.Held
		}
		if c.journal.Store == nil || isRead(r.method) || isTransient(r.method) || GivesSecret(r.method) {
			result, err := c.client.deliver(ctx, c.token, r)
			return result, outcomeOf(err), err
		}
		return c.journaled(ctx, r)
	})
}
