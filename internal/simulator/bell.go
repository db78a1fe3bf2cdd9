package simulator

import (
	"context"
	"sync"
)

// bell wakes all who wait, and costs nothing where nobody does.
type bell struct {
	mu sync.Mutex
	ch chan struct{}
}

// heard is closed by the next ring. Take it before looking at what may change.
func (b *bell) heard() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch == nil {
		b.ch = make(chan struct{})
	}
	return b.ch
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch != nil {
		close(b.ch)
		b.ch = nil
	}
}

// until waits until ok holds; it is asked anew after each ring.
func (b *bell) until(ctx context.Context, ok func() bool) error {
	for {
		heard := b.heard()
		if ok() {
			return nil
		}
		select {
		case <-heard:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
