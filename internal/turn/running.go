package turn

import (
	"context"
	"sync"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/lane"
)

// runningTurns are the turns under way, one for each lane. They are kept only where the
// router has urgent handlers, which may cancel them.
type runningTurns struct {
	mu    sync.Mutex
	lanes map[lane.Key]*runningTurn
}

// runningTurn is one turn from its first attempt until its lane goes on, with all that it
// waits in between.
type runningTurn struct {
	key   lane.Key
	seq   uint64
	ended chan struct{}

	mu        sync.Mutex
	cancelled bool
	cancel    context.CancelCauseFunc // of the attempt under way, else nil
}

// begin notes a turn. It is forgotten with end, at the latest when ctx ends.
func (l *runningTurns) begin(ctx context.Context, k lane.Key, seq uint64) (one *runningTurn, end func()) {
	one = &runningTurn{key: k, seq: seq, ended: make(chan struct{})}
	l.mu.Lock()
	if l.lanes == nil {
		l.lanes = make(map[lane.Key]*runningTurn)
	}
	l.lanes[k] = one
	l.mu.Unlock()
	stop := context.AfterFunc(ctx, func() { l.end(one) })
	return one, func() { stop(); l.end(one) }
}

func (l *runningTurns) end(one *runningTurn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-one.ended:
		return
	default:
		close(one.ended)
	}
	if l.lanes[one.key] == one {
		delete(l.lanes, one.key)
	}
}

// interrupt cancels what a lane has under way before position seq, and returns it.
func (l *runningTurns) interrupt(k lane.Key, seq uint64) *runningTurn {
	l.mu.Lock()
	one := l.lanes[k]
	l.mu.Unlock()
	if one == nil || one.seq >= seq {
		return nil
	}
	one.mu.Lock()
	defer one.mu.Unlock()
	one.cancelled = true
	if one.cancel != nil {
		one.cancel(bot.ErrCancelled)
	}
	return one
}

// attempt gives a handler a context that an urgent update can end.
func (one *runningTurn) attempt(ctx context.Context) (context.Context, func()) {
	if one == nil {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	one.arm(cancel)
	return ctx, func() { one.arm(nil); cancel(nil) }
}

func (one *runningTurn) arm(cancel context.CancelCauseFunc) {
	one.mu.Lock()
	defer one.mu.Unlock()
	if one.cancel = cancel; cancel != nil && one.cancelled {
		cancel(bot.ErrCancelled)
	}
}

func (one *runningTurn) isCancelled() bool {
	if one == nil {
		return false
	}
	one.mu.Lock()
	defer one.mu.Unlock()
	return one.cancelled
}

// live notes the turn, where an urgent update may come to cancel it.
func (t *task) live(ctx context.Context) (end func()) {
	if t.r.urgent.types == 0 {
		return func() {}
	}
	if t.running == nil {
		t.running, t.end = t.r.running.begin(ctx, t.d.Lane, t.d.Seq)
	}
	return func() { t.end(); t.running = nil }
}
