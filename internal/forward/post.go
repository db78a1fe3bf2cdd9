package forward

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/telegram/api"
)

// Headers of a request.
const (
	// HeaderSecret is the header in which Telegram sends the webhook's secret.
	HeaderSecret = "X-Telegram-Bot-Api-Secret-Token" //nolint:gosec // the name of a header
	// HeaderUpdate is "<bot id>:<update id>", the same each time the update comes.
	HeaderUpdate = "X-Chatlane-Update"
	// HeaderAttempt counts the attempts at the update, from 1. Attempts that ended with their worker do not count.
	HeaderAttempt = "X-Chatlane-Attempt"
)

// maxSaid bounds what is kept of a bot's error, in bytes.
const maxSaid = 1 << 10

var (
	errLost    = errors.New("bot's answer was lost")
	errTooLong = errors.New("bot's answer is too long")
)

func (f *Forwarder) post(ctx context.Context, target Target, t *bot.Turn) (reply, error) {
	update, crashes := t.Envelope().Update, f.crashes[t.Bot().ID]
	leave, err := crashes.enter(update)
	if err != nil {
		return reply{}, err
	}
	defer leave()
	ctx, span := f.tracer.Start(ctx, "forward.post", trace.WithSpanKind(trace.SpanKindClient))
	defer span.End()
	began := time.Now()
	answer, err := f.exchange(ctx, target, t)
	f.metrics.observe(began, err)
	if err != nil {
		span.SetStatus(codes.Error, outcomeOf(err))
	}
	switch {
	case errors.Is(err, errLost):
		return reply{}, crashes.losing(ctx, update, err)
	case !isAway(err):
		crashes.answered(update)
	}
	return answer, err
}

func isAway(err error) bool {
	var away *bot.UnavailableError
	return errors.As(err, &away)
}

func (f *Forwarder) exchange(ctx context.Context, target Target, t *bot.Turn) (reply, error) {
	var sent api.Wire
	req, err := f.request(httptrace.WithClientTrace(ctx, sent.Trace()), target, t)
	if err != nil {
		return reply{}, err
	}
	resp, err := f.http.Do(req)
	if err != nil {
		return reply{}, broken(ctx, sent.Busy(), err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode/100 != 2 {
		said, _ := io.ReadAll(io.LimitReader(resp.Body, 4*maxSaid))
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // keeps the connection usable
		return reply{}, target.refusal(resp, said)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, f.cfg.MaxAnswer+1))
	switch {
	case err != nil:
		return reply{}, broken(ctx, true, err)
	case int64(len(body)) > f.cfg.MaxAnswer:
		return reply{}, errTooLong
	}
	return read(resp.Header.Get("Content-Type"), body), nil
}

func (f *Forwarder) request(ctx context.Context, target Target, t *bot.Turn) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.URL, bytes.NewReader(t.Raw()))
	if err != nil {
		return nil, errNoURL // its own text would show the address
	}
	req.Header = http.Header{
		"Content-Type": {"application/json"},
		"User-Agent":   {"chatlane"},
		HeaderUpdate:   {fmt.Sprintf("%d:%d", t.Bot().ID, t.Envelope().Update)},
		HeaderAttempt:  {strconv.Itoa(t.Attempt())},
	}
	if target.Secret != "" {
		req.Header.Set(HeaderSecret, target.Secret)
	}
	f.carrier.Inject(ctx, propagation.HeaderCarrier(req.Header))
	return req, nil
}

// refusal is the error of an answer other than 2xx. A gateway without its bot, and an answer that says when
// to come again, use no attempt up.
func (t Target) refusal(resp *http.Response, said []byte) error {
	err := &StatusError{Code: resp.StatusCode, said: t.redact(string(said))}
	after, asked := retryAfter(resp.Header)
	switch resp.StatusCode {
	case http.StatusTooManyRequests:
		return &bot.UnavailableError{RetryAfter: max(after, time.Second), Err: err}
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return &bot.UnavailableError{RetryAfter: after, Err: err}
	}
	if asked {
		return &bot.UnavailableError{RetryAfter: max(after, time.Second), Err: err}
	}
	return err
}

// StatusError is an answer other than 2xx. Its text, which is logged, leaves the body out: it may quote the update.
type StatusError struct {
	Code int
	said string
}

// Detail is the beginning of the body, for the dead letter.
func (e *StatusError) Detail() string { return e.said }

func (e *StatusError) Error() string {
	return fmt.Sprintf("bot answered %d %s", e.Code, http.StatusText(e.Code))
}

func retryAfter(h http.Header) (d time.Duration, asked bool) {
	n, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil {
		return 0, false
	}
	return time.Duration(min(max(n, 0), 3600)) * time.Second, true
}

// broken is the error of a request without an answer. If the request reached the bot, the update itself may
// have brought the bot down, so it uses an attempt up.
func broken(ctx context.Context, reached bool, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("no answer: %w", ctx.Err())
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // without the address
	}
	if !reached {
		return &bot.UnavailableError{Err: fmt.Errorf("bot is unreachable: %w", err)}
	}
	return fmt.Errorf("%w: %w", errLost, err)
}
