package turn

import (
	"context"
	"sync"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/lane"
)

// runningTurns holds each lane's turn under way; empty without urgent handlers, which alone cancel turns.
type runningTurns struct {
	mu    sync.Mutex
	lanes map[lane.Key]*runningTurn
}

// runningTurn lives from the first attempt until the lane goes on or is parked, waits included.
type runningTurn struct {
	key   lane.Key
	seq   uint64
	ended chan struct{}

	mu        sync.Mutex
	cancelled bool
	cancel    context.CancelCauseFunc // of the attempt under way, else nil
}

// register lists the turn where an urgent update may cancel it. The end of the turn or of ctx removes it.
func (t *task) register(ctx context.Context) (end func()) {
	if t.r.urgent.types == 0 {
		return func() {}
	}
	if t.running == nil {
		t.running, t.endRunning = t.r.running.begin(ctx, t.d.Lane, t.d.Seq)
	}
	return func() { t.endRunning(); t.running = nil }
}

func (t *task) skipCancelled(ctx context.Context) (progress, error) {
	if t.running.isCancelled() {
		return t.skip(ctx, outCancelled)
	}
	return goOn, nil
}

func (r *runningTurns) begin(ctx context.Context, k lane.Key, seq uint64) (one *runningTurn, end func()) {
	one = &runningTurn{key: k, seq: seq, ended: make(chan struct{})}
	r.mu.Lock()
	if r.lanes == nil {
		r.lanes = make(map[lane.Key]*runningTurn)
	}
	r.lanes[k] = one
	r.mu.Unlock()
	stop := context.AfterFunc(ctx, func() { r.end(one) })
	return one, func() { stop(); r.end(one) }
}

func (r *runningTurns) end(one *runningTurn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-one.ended:
		return
	default:
		close(one.ended)
	}
	if r.lanes[one.key] == one {
		delete(r.lanes, one.key)
	}
}

// interrupt cancels and returns the running turn of a lane if its update came before seq, else nil.
func (r *runningTurns) interrupt(k lane.Key, seq uint64) *runningTurn {
	r.mu.Lock()
	one := r.lanes[k]
	r.mu.Unlock()
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

func (one *runningTurn) cancellable(ctx context.Context) (context.Context, func()) {
	if one == nil {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	one.setCancel(cancel)
	return ctx, func() { one.setCancel(nil); cancel(nil) }
}

func (one *runningTurn) setCancel(cancel context.CancelCauseFunc) {
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
