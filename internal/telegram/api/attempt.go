package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"time"
)

var errSlow = errors.New("no answer in time")

var errTooLong = errors.New("answer is too long; the call may have had its effect")

// errURL replaces an error of net/http that would show the URL, and with it the token.
var errURL = errors.New("make request: the server's URL is wrong")

func (c *Client) attempt(ctx context.Context, token Token, r request) (json.RawMessage, error) {
	began := time.Now()
	result, err := c.roundTrip(ctx, token, r)
	c.metrics.request(began, err)
	return result, err
}

func (c *Client) roundTrip(ctx context.Context, token Token, r request) (json.RawMessage, error) {
	if !isMethod(r.method) {
		return nil, fmt.Errorf("telegram: %q is no method", otherMethod)
	}
	if err := ctx.Err(); err != nil {
		return nil, noAnswer(ctx, r.method, false, err)
	}
	var wire Wire
	lingering, stop := c.lingering(ctx, r, &wire)
	defer stop()
	limited, cancel := context.WithTimeoutCause(lingering, c.timeout(r), errSlow)
	defer cancel()
	req, err := c.newRequest(httptrace.WithClientTrace(limited, wire.Trace()), token, r)
	if err != nil {
		return nil, fmt.Errorf("telegram %s: %w", r.method, err)
	}
	defer func() { _ = req.Body.Close() }()
	if r.held != nil {
		if err := r.held(); err != nil {
			return nil, fmt.Errorf("telegram %s: %w", r.method, err)
		}
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, noAnswer(ctx, r.method, wire.Busy(), withoutURL(limited, token, err))
	}
	defer func() { _ = resp.Body.Close() }()
	most := c.maxAnswer(r.method)
	body, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF) && limited.Err() == nil && resp.StatusCode < http.StatusMultipleChoices:
		return nil, &TransportError{Method: r.method, Lost: true, Broken: true, Cause: errors.New("answer is cut short")}
	case err != nil && resp.StatusCode < http.StatusMultipleChoices:
		return nil, noAnswer(ctx, r.method, true, withoutURL(limited, token, err))
	case int64(len(body)) > most:
		return nil, fmt.Errorf("telegram %s: %w", r.method, errTooLong)
	}
	return readAnswer(token, r.method, resp, body)
}

// maxCallAnswer bounds the answers of all methods but getUpdates, in bytes: many may come at once.
const maxCallAnswer = 1 << 20

func (c *Client) maxAnswer(method string) int64 {
	if strings.EqualFold(method, "getUpdates") {
		return c.cfg.MaxAnswer
	}
	return min(c.cfg.MaxAnswer, maxCallAnswer)
}

// lingering lets the attempt outlive the call's context by Config.Linger if its outcome goes to the journal
// and the request is on its way: a lost answer means that the next attempt repeats the call.
func (c *Client) lingering(ctx context.Context, r request, w *Wire) (context.Context, context.CancelFunc) {
	if !r.kept {
		return ctx, func() {}
	}
	on, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if w.Busy() && !errors.Is(context.Cause(ctx), ErrClosed) {
			_ = pause(on, c.cfg.Linger) // or until the attempt is over
		}
		cancel(context.Cause(ctx))
	})
	return on, func() { stop(); cancel(nil) }
}

func (c *Client) newRequest(ctx context.Context, token Token, r request) (*http.Request, error) {
	var body io.Reader = bytes.NewReader(r.params)
	kind, size := "application/json", int64(len(r.params))
	if r.files != nil {
		form, err := r.files.form(r.params)
		if err != nil {
			return nil, err
		}
		body, kind, size = form.body, form.kind, form.size
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.cfg.BaseURL+"/bot"+token.reveal()+"/"+r.method, body)
	if err != nil {
		return nil, errURL
	}
	req.ContentLength = size
	req.Header.Set("Content-Type", kind)
	return req, nil
}

// noAnswer is the context's error alone if the request never left because its context had ended.
func noAnswer(ctx context.Context, method string, lost bool, cause error) error {
	if !lost && ctx.Err() != nil {
		return fmt.Errorf("telegram %s: %w", method, causeOf(ctx))
	}
	return &TransportError{Method: method, Lost: lost, Cause: cause}
}

// withoutURL removes the URL, which holds the token, from an error of net/http.
func withoutURL(ctx context.Context, token Token, err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	if ctx.Err() != nil {
		err = causeOf(ctx)
	}
	if text := err.Error(); token.hide(text) != text {
		return errors.New(token.hide(text))
	}
	return err
}

func causeOf(ctx context.Context) error {
	cause := context.Cause(ctx)
	switch {
	case errors.Is(cause, errSlow):
		return errSlow // our own limit, not the caller's context
	case errors.Is(cause, ctx.Err()):
		return cause
	}
	return fmt.Errorf("%w: %w", cause, ctx.Err())
}

type answer struct {
	OK          bool            `json:"ok"`
	Result      json.RawMessage `json:"result"`
	Code        int             `json:"error_code"`
	Description string          `json:"description"`
	Parameters  struct {
		RetryAfter int64 `json:"retry_after"`
		MigrateTo  int64 `json:"migrate_to_chat_id"`
	} `json:"parameters"`
}

// readAnswer trusts the envelope more than the HTTP status, which a gateway may have set.
func readAnswer(token Token, method string, resp *http.Response, body []byte) (json.RawMessage, error) {
	var a answer
	err := json.Unmarshal(body, &a)
	switch {
	case err == nil && a.OK:
		return a.Result, nil
	case err != nil && resp.StatusCode < http.StatusMultipleChoices:
		return nil, &TransportError{Method: method, Lost: true, Broken: true, Cause: errors.New("answer is not the Bot API's")}
	}
	no := &Error{
		Method: method, Code: a.Code, Description: token.hide(strings.ToValidUTF8(a.Description, "?")),
		RetryAfter: seconds(a.Parameters.RetryAfter), MigrateTo: a.Parameters.MigrateTo,
		Gateway: a.Code == 0,
	}
	if no.Code < 300 || no.Code > 999 {
		no.Code = resp.StatusCode
	}
	if no.Code < 300 {
		no.Code = http.StatusInternalServerError // a refusal without a code
	}
	if no.Description == "" {
		no.Description = http.StatusText(no.Code)
	}
	if no.Code == http.StatusTooManyRequests && no.RetryAfter == 0 {
		no.RetryAfter = max(headerSeconds(resp.Header), time.Second)
	}
	return nil, no
}

func headerSeconds(h http.Header) time.Duration {
	n, err := strconv.ParseInt(h.Get("Retry-After"), 10, 64)
	if err != nil {
		return 0
	}
	return seconds(n)
}

func seconds(n int64) time.Duration {
	return time.Duration(min(max(n, 0), 24*3600)) * time.Second
}
