package kvstore

import (
	"context"
	"fmt"

	"github.com/chatlane/chatlane/internal/fsm"
)

// gate is a mutex that a goroutine waits for until its context ends: the write that holds it may hang.
type gate chan struct{}

func (g gate) enter(ctx context.Context) error {
	select {
	case g <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for another write: %w: %w", fsm.ErrUnavailable, context.Cause(ctx))
	}
}

func (g gate) leave() { <-g }
