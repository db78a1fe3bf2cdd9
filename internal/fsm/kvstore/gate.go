package kvstore

import (
	"context"
	"fmt"

	"github.com/chatlane/chatlane/internal/fsm"
)

// gate lets one in at a time. Unlike a mutex it is left by who runs out of time
// while a request of somebody else hangs.
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
