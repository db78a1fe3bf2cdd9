package memstore

import (
	"context"
	"fmt"
	"time"

	"github.com/chatlane/chatlane/internal/fsm"
)

type lock struct {
	token uint64
	until time.Time
	freed chan struct{} // closed by give
}

func laneLock(k fsm.Keys) string  { return "lane " + k.Lane }
func stateLock(k fsm.Keys) string { return "state " + k.State }

// holder needs m.mu.
func (m *memory) holder(name string) (token uint64, held bool) {
	l := m.locks[name]
	if l == nil || !time.Now().Before(l.until) {
		return 0, false
	}
	return l.token, true
}

// take returns what to wait for if the lock is taken.
func (m *memory) take(name string, token uint64, ttl time.Duration) (freed <-chan struct{}, left time.Duration, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, held := m.holder(name); held {
		l := m.locks[name]
		return l.freed, time.Until(l.until), false
	}
	m.locks[name] = &lock{token: token, until: time.Now().Add(ttl), freed: make(chan struct{})}
	return nil, 0, true
}

// give needs m.mu.
func (m *memory) give(name string, token uint64) {
	if l := m.locks[name]; l != nil && l.token == token {
		close(l.freed)
		delete(m.locks, name)
	}
}

// wait takes a lock, or fails with ErrBusy when ctx ends. Meanwhile it renews the session's other locks.
func (h *hold) wait(ctx context.Context, name string) error {
	for first := true; ; first = false {
		if err := h.s.reach(); err != nil {
			return err
		}
		freed, left, ok := h.s.mem.take(name, h.token, h.s.cfg.LockTTL)
		if ok {
			return nil
		}
		if first {
			h.s.metrics.Conflict()
		}
		timer := time.NewTimer(min(left, h.s.cfg.LockTTL/3))
		select {
		case <-freed:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%w: %w", fsm.ErrBusy, context.Cause(ctx))
		}
		timer.Stop()
		now := time.Now()
		if err := h.Renew(ctx); err != nil {
			return err
		}
		h.since = now
	}
}
