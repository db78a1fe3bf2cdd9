package parking

import (
	"context"
	"log/slog"
	"time"
)

// run makes one attempt or copies the delivery. What has begun goes on in place, also when its lane is parked.
func (l *Lanes) run(ctx context.Context, e *entry) time.Duration {
	if e.Finished() {
		return 0 // by the turn of its album
	}
	if left := time.Until(e.notBefore); left > 0 {
		return l.setAside(ctx, e, left)
	}
	for {
		p, here := l.begin(e)
		if here {
			break
		}
		if again, parked := l.follow(ctx, p, e); parked {
			return again
		}
	}
	next := e.attempt(ctx)
	if !next.Park {
		return next.Again
	}
	e.notBefore = time.Now().Add(next.Again)
	return l.setAside(ctx, e, next.Again)
}

func (l *Lanes) begin(e *entry) (p *parkedLane, here bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p = l.parked[e.Lane]
	if p == nil && !e.moved {
		e.begun = true
	}
	return p, e.begun
}

// follow returns false if the lane is no longer parked.
func (l *Lanes) follow(ctx context.Context, p *parkedLane, e *entry) (again time.Duration, parked bool) {
	if p != nil {
		p.filling.Lock()
		defer p.filling.Unlock()
	}
	switch {
	case l.hasMoved(e):
		return 0, true
	case l.parkedLane(e.Lane) != p:
		return 0, false
	}
	w, err := l.waitOf(ctx, e.Lane)
	if err != nil {
		l.log.WarnContext(ctx, "parked lane's time not read, its next update is held in the window", slog.String("lane", string(e.Lane)), slog.String("error", err.Error()))
		return retryStore, true
	}
	return l.put(ctx, e.Delivery, w, false), true
}

// setAside parks the lane. If the copy fails, it is tried again, and the attempt not before its time.
func (l *Lanes) setAside(ctx context.Context, e *entry, left time.Duration) time.Duration {
	if again := l.park(ctx, e, left); again > 0 {
		return min(again, left)
	}
	l.cfg.Metrics.parked.WithLabelValues(reasonWaiting).Inc()
	l.log.WarnContext(ctx, "lane parked", slog.String("lane", string(e.Lane)), slog.Duration("for", left))
	return 0
}

func (l *Lanes) park(ctx context.Context, e *entry, left time.Duration) time.Duration {
	p, fresh := l.enter(e.Lane)
	defer p.filling.Unlock()
	w := wait{left, e.Seq}
	if again := l.put(ctx, e.Delivery, w, fresh); again > 0 {
		if fresh {
			l.unpark(e.Lane)
		}
		return again
	}
	l.hold(e.Lane, w)
	return 0
}

func (l *Lanes) hasBegun(e *entry) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return e.begun
}

func (l *Lanes) hasMoved(e *entry) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return e.moved
}

func (l *Lanes) setMoved(e *entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.moved = true
}
