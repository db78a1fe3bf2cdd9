package simulator

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"syscall"
	"time"
)

type outcome struct {
	code       int
	err        error
	retryAfter time.Duration // -1: none
	header     http.Header
	body       []byte
}

func (o outcome) ok() bool { return o.err == nil && o.code/100 == 2 }

func (s *sender) deliver(ctx context.Context, h *webhook, u *update) outcome {
	ctx, cancel := context.WithTimeoutCause(ctx, h.cfg.AnswerTimeout, errReadTimeout)
	defer cancel()
	tries := 1
	if h.cfg.Failover {
		tries = len(h.targets)
	}
	var out outcome
	turn := h.next.Add(1)
	for i := range tries {
		out = h.post(ctx, h.targets[(turn+uint64(i))%uint64(len(h.targets))], u.body)
		if !errors.Is(out.err, syscall.ECONNREFUSED) {
			break
		}
	}
	if out.ok() {
		h.ramp.succeeded(time.Now())
		if len(out.body) > 0 {
			s.bot.executeReply(ctx, out.header, out.body)
		}
	}
	return out
}

func (h *webhook) post(ctx context.Context, target string, body []byte) outcome {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return outcome{err: err, retryAfter: -1}
	}
	req.Header = http.Header{
		"Content-Type":    {"application/json"},
		"Connection":      {"keep-alive"},
		"Accept-Encoding": {"gzip, deflate"},
		"User-Agent":      nil,
	}
	if h.cfg.Secret != "" {
		req.Header["X-Telegram-Bot-Api-Secret-Token"] = []string{h.cfg.Secret}
	}
	resp, err := h.transport.RoundTrip(req) // not Client: redirects are failures
	if err != nil {
		return outcome{err: causeOf(ctx, err), retryAfter: -1}
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return outcome{err: causeOf(ctx, err), retryAfter: -1}
	}
	return outcome{code: resp.StatusCode, retryAfter: retryAfter(resp.Header), header: resp.Header, body: answer}
}

func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// retryAfter is capped at 3600 s; -1 if it is missing or no number.
func retryAfter(h http.Header) time.Duration {
	n, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil {
		return -1
	}
	return time.Duration(min(max(n, 0), 3600)) * time.Second
}

// copy sends the share Twice of the updates a second time: along with the first request, or a little after
// its answer. Copies fail silently.
func (s *sender) copy(ctx context.Context, h *webhook, u *update) (answered func(ok bool)) {
	none := func(bool) {}
	if h.cfg.Twice == 0 {
		return none
	}
	dice := chance(h.cfg.Seed, uint64(u.id))
	if dice.Float64() >= h.cfg.Twice {
		return none
	}
	late := dice.IntN(2) == 0
	wait := time.Duration(dice.Int64N(int64(h.cfg.TwiceWithin)))
	if !late {
		s.copyAfter(ctx, h, u, 0)
		return none
	}
	return func(ok bool) {
		if ok {
			s.copyAfter(ctx, h, u, wait)
		}
	}
}

func (s *sender) copyAfter(ctx context.Context, h *webhook, u *update, wait time.Duration) {
	s.box.mu.Lock()
	s.box.copies++
	s.box.sent.Copies++
	s.box.mu.Unlock()
	s.running.Go(func() {
		t := time.NewTimer(wait)
		defer t.Stop()
		select {
		case <-t.C:
			s.deliver(ctx, h, u)
		case <-ctx.Done():
		}
		s.box.mu.Lock()
		s.box.copies--
		s.box.mu.Unlock()
		s.box.quiet.send()
	})
}
