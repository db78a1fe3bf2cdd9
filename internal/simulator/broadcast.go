package simulator

import (
	"context"
	"sync"
)

// broadcast wakes all waiting goroutines. If none waits, send costs one lock.
type broadcast struct {
	mu sync.Mutex
	ch chan struct{}
}

// next returns a channel that the next send closes. Call it before reading what may change.
func (b *broadcast) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch == nil {
		b.ch = make(chan struct{})
	}
	return b.ch
}

func (b *broadcast) send() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch != nil {
		close(b.ch)
		b.ch = nil
	}
}

func (b *broadcast) until(ctx context.Context, ok func() bool) error {
	for {
		next := b.next()
		if ok() {
			return nil
		}
		select {
		case <-next:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
