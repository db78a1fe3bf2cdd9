package simulator

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// send delivers until ctx ends. A second send waits until the first has ended.
func (b *Bot) send(ctx context.Context) {
	select {
	case b.sender <- struct{}{}:
		defer func() { <-b.sender }()
	case <-ctx.Done():
		return
	}
	s := &sender{bot: b, box: b.box}
	s.run(ctx)
	s.running.Wait()
	b.box.mu.Lock()
	defer b.box.mu.Unlock()
	if b.box.webhook.transport != nil {
		b.box.webhook.transport.CloseIdleConnections()
	}
}

type sender struct {
	bot     *Bot
	box     *backlog
	running sync.WaitGroup
}

type slot struct {
	webhook *webhook
}

func (s *sender) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		if wait := s.start(ctx); wait >= 0 {
			timer.Reset(wait)
		}
		select {
		case <-s.box.changed:
		case <-timer.C:
		case <-ctx.Done():
			return
		}
	}
}

func (s *sender) start(ctx context.Context) time.Duration {
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	h := s.box.webhook
	if len(h.targets) == 0 {
		return -1
	}
	if h.transport == nil {
		h.connect(s.bot.tg.cfg.Dial, func() {
			s.box.mu.Lock()
			s.box.sent.Connections++
			s.box.mu.Unlock()
		})
	}
	for len(h.cancels) < h.cfg.MaxConnections {
		q, wait := s.box.take(time.Now())
		if q == nil {
			return wait
		}
		c, u := &slot{webhook: h}, q.updates[0]
		on, cancel := context.WithCancel(ctx)
		h.cancels[c] = cancel
		s.running.Go(func() { s.deliverAll(ctx, on, c, q, u) })
	}
	return -1
}

// deliverAll delivers until no update is due. life ends with the sender, ctx with the webhook's setting.
func (s *sender) deliverAll(life, ctx context.Context, c *slot, q *queue, u *update) {
	for q != nil {
		copies := s.copy(life, c.webhook, u)
		out := s.deliver(ctx, c.webhook, u)
		copies(out.ok())
		q, u = s.finish(ctx, c, q, u, out)
	}
}

func (s *sender) finish(ctx context.Context, c *slot, q *queue, u *update, out outcome) (*queue, *update) {
	now := time.Now()
	b := s.box
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case u.gone: // dropped or confirmed while it was on its way
	case out.ok():
		b.sent.Delivered++
		c.webhook.goneSince = time.Time{}
		b.finish(q, now)
	case ctx.Err() != nil: // cancelled, not failed
		q.due = now
		b.schedule(q)
	default:
		b.failed(c.webhook, q, u, out, now)
	}
	if ctx.Err() == nil {
		if next, _ := b.take(now); next != nil {
			return next, next.updates[0]
		}
	}
	c.webhook.cancels[c]()
	delete(c.webhook.cancels, c)
	b.wake()
	return nil, nil
}

func (b *backlog) failed(h *webhook, q *queue, u *update, out outcome, now time.Time) {
	b.sent.Failed++
	h.lastError, h.failedAt = problem(out.err, out.code), now
	wait := h.cfg.backoff(q.fails, chance(h.cfg.Seed, uint64(u.id), uint64(q.fails)))
	if out.retryAfter >= 0 {
		wait = out.retryAfter
	} else {
		q.fails++
	}
	switch {
	case out.code != 410:
		h.goneSince = time.Time{}
	case h.goneSince.IsZero():
		h.goneSince = now
	case now.Sub(h.goneSince) >= 23*time.Hour:
		off := h.cfg
		off.URL, off.Targets = "", nil
		defer b.replace(&off)
	}
	if now.Add(wait).After(u.expires) {
		b.sent.Dropped++
		b.finish(q, now)
		return
	}
	q.due = now.Add(wait)
	b.schedule(q)
	b.wake() // the sender's timer may be set to a later time
}

// backoff: 0, then RetryBase doubled each time; after seven fails 30 to 60 times RetryBase.
func (c WebhookConfig) backoff(fails int, r *rand.Rand) time.Duration {
	switch {
	case fails == 0:
		return 0
	case fails <= 6:
		return c.RetryBase << (fails - 1)
	}
	return 30*c.RetryBase + time.Duration(r.Int64N(int64(30*c.RetryBase)))
}
