package limit

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// pacer holds what this worker knows without asking: the blocks, and the pace of each bot.
type pacer struct {
	cfg     Config
	blocked *prometheus.CounterVec

	mu      sync.Mutex
	blocks  map[blockKey]time.Time // until when nothing goes
	refused map[blockKey]*refusals // of chat 0
	bots    map[int64]*sender
	prune   int // size of blocks at which clean drops what has passed
}

type blockKey struct {
	bot, chat int64
	kind      string
}

// refusals are the chats of a bot that were told to wait within one second.
type refusals struct {
	since time.Time
	chats map[int64]struct{}
}

// leastPrune is the size from which on clean looks for what has passed.
const leastPrune = 1024

func newPacer(cfg Config) *pacer {
	p := &pacer{
		cfg: cfg, prune: leastPrune,
		blocks: make(map[blockKey]time.Time), refused: make(map[blockKey]*refusals), bots: make(map[int64]*sender),
	}
	p.blocked = newMetrics(cfg.Registerer, p.slowed)
	return p
}

// take takes a place of each rate, and tells whether it had to wait.
type take func(ctx context.Context, c call, r rates) (waited bool, err error)

// wait is Limiter.Wait; take is called where there are rates.
func (p *pacer) wait(ctx context.Context, c call, take take) error {
	r := rates{}
	if c.kind == Message || c.kind == Bulk {
		r = p.cfg.rates(c)
	}
	if r == (rates{}) && p.passes(c) {
		return nil
	}
	if c.kind == Message {
		defer p.queue(c.bot)()
	}
	if _, err := p.unblocked(ctx, c); err != nil {
		return err
	}
	waited := false
	if r != (rates{}) {
		w, err := take(ctx, c, r)
		if err != nil {
			return err
		}
		waited = w
	}
	if c.kind == Message || c.kind == Bulk {
		w, err := p.pace(ctx, c)
		if err != nil {
			return err
		}
		waited = waited || w
	}
	for waited { // Telegram may have asked for more time meanwhile
		w, err := p.unblocked(ctx, c)
		if err != nil {
			return err
		}
		waited = w
	}
	return nil
}

// passes tells that nothing holds a call.
func (p *pacer) passes(c call) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if c.kind == Bulk || p.left(c, now) > 0 {
		return false
	}
	if c.kind != Message {
		return true
	}
	s := p.sender(c.bot)
	if s.slow(now) {
		return false
	}
	s.sent(now)
	return true
}

// unblocked waits until neither the chat nor the bot is blocked; a bulk message also until no reply waits.
func (p *pacer) unblocked(ctx context.Context, c call) (waited bool, err error) {
	for {
		p.mu.Lock()
		left := p.left(c, time.Now())
		if c.kind == Bulk {
			left = p.sender(c.bot).behind(left)
		}
		p.mu.Unlock()
		if left <= 0 {
			return waited, nil
		}
		if left > p.cfg.patience(c.kind) {
			return waited, &LaterError{After: left}
		}
		if err := pause(ctx, left); err != nil {
			return true, err
		}
		waited = true
	}
}

// left is how long a call is blocked. It needs p.mu.
func (p *pacer) left(c call, now time.Time) time.Duration {
	if len(p.blocks) == 0 {
		return 0
	}
	k := c.key()
	until := p.blocks[k]
	k.chat = 0
	if u := p.blocks[k]; u.After(until) {
		until = u
	}
	return max(until.Sub(now), 0)
}

func (c call) key() blockKey {
	if c.kind == Bulk {
		c.kind = Message
	}
	return blockKey(c)
}

// block holds a call's kind back, and returns what other workers should learn of it.
func (p *pacer) block(ctx context.Context, c call, d time.Duration) (news []event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	k := c.key()
	of := k
	of.chat = 0
	if left := p.blocks[of].Sub(now); left > 0 && left >= d*9/10 {
		p.hold(k, now.Add(d))
		return nil // the bot waits anyway
	}
	wide, longer := p.apply(ctx, k, d, now, now)
	if !longer {
		return nil // they know
	}
	if wide {
		k.chat = 0
	}
	return []event{{Bot: k.bot, Chat: k.chat, Kind: k.kind, For: d.Milliseconds()}}
}

// learn is block for what another worker was told.
func (p *pacer) learn(ctx context.Context, e event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if left := e.at.Add(time.Duration(e.For) * time.Millisecond).Sub(now); left > 0 {
		p.apply(ctx, blockKey{e.Bot, e.Chat, e.Kind}, left, e.at, now)
	}
}

// apply holds back for d from now what Telegram refused at a time. It tells whether all of the bot is
// blocked, and whether for longer than before. It needs p.mu.
func (p *pacer) apply(ctx context.Context, k blockKey, d time.Duration, at, now time.Time) (wide, longer bool) {
	p.clean(now)
	longer = p.hold(k, now.Add(d))
	if k.chat != 0 {
		if !p.botWide(k, at) {
			p.blocked.WithLabelValues(scopeChat).Inc()
			return false, longer
		}
		k.chat = 0
		longer = p.hold(k, now.Add(d))
	}
	p.blocked.WithLabelValues(scopeBot).Inc()
	if k.kind == Message {
		if pace, cut := p.sender(k.bot).cut(now, d); cut {
			p.cfg.Logger.WarnContext(ctx, "telegram holds the bot back: this worker sends more slowly for some minutes",
				slog.Int64("bot", k.bot), slog.Float64("per_second", pace), slog.String("wait", d.String()))
		}
	}
	return true, longer
}

// hold needs p.mu.
func (p *pacer) hold(k blockKey, until time.Time) (longer bool) {
	if longer = until.After(p.blocks[k]); longer {
		p.blocks[k] = until
	}
	return longer
}

// botWide counts the chats that were told to wait within a second, however late this worker learns of them.
// What is older than the second that it counts is no part of it. It needs p.mu.
func (p *pacer) botWide(k blockKey, at time.Time) bool {
	chat := k.chat
	k.chat = 0
	r := p.refused[k]
	switch {
	case r == nil || at.Sub(r.since) > time.Second:
		r = &refusals{since: at, chats: make(map[int64]struct{})}
		p.refused[k] = r
	case r.since.Sub(at) > time.Second:
		return false
	}
	r.chats[chat] = struct{}{}
	return len(r.chats) >= p.cfg.BotWide
}

// clean drops what has passed, once the map is twice as large as the last time. It needs p.mu.
func (p *pacer) clean(now time.Time) {
	if len(p.blocks) < p.prune {
		return
	}
	for k, until := range p.blocks {
		if until.Before(now) {
			delete(p.blocks, k)
		}
	}
	for k, r := range p.refused {
		if now.Sub(r.since) > time.Second {
			delete(p.refused, k)
		}
	}
	p.prune = max(leastPrune, 2*len(p.blocks))
}

// pace waits for the bot's pace, if Telegram has slowed it.
func (p *pacer) pace(ctx context.Context, c call) (waited bool, err error) {
	patience := p.cfg.patience(c.kind)
	for {
		p.mu.Lock()
		left, taken := p.sender(c.bot).reserve(c.kind, time.Now(), p.cfg)
		p.mu.Unlock()
		switch {
		case left <= 0:
			return waited, nil
		case left > patience: // the more wait, the later each asks again
			return waited, &LaterError{After: left + rand.N(left)} //nolint:gosec // spreads load, guards nothing
		}
		if err := pause(ctx, left); err != nil {
			return true, err
		}
		if waited = true; taken {
			return true, nil
		}
	}
}

// queue counts a reply that waits, until done is called.
func (p *pacer) queue(bot int64) (done func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.sender(bot)
	s.replies++
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		s.replies--
	}
}

// sender needs p.mu.
func (p *pacer) sender(bot int64) *sender {
	s := p.bots[bot]
	if s == nil {
		s = &sender{}
		p.bots[bot] = s
	}
	return s
}

// slowed counts the bots that send more slowly.
func (p *pacer) slowed() float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, now := 0, time.Now()
	for _, s := range p.bots {
		if s.slow(now) {
			n++
		}
	}
	return float64(n)
}
