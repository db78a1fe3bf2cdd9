package turn

import (
	"context"
	"errors"
	"fmt"

	"github.com/chatlane/chatlane/bot"
	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/telegram/api"
)

// supervise runs a handler until it returns or is abandoned. Its context ends with the handler
// deadline, the lock or the partition. A handler that ignores that for the grace period is
// abandoned: nothing that it does later has effect.
func (t *task) supervise(ctx context.Context, s *fsm.Session, calls *api.Calls, handle func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	limited, stop := context.WithTimeoutCause(ctx, t.r.cfg.Deadline, ErrDeadline)
	defer stop()
	ended := make(chan error, 1)
	go func() {
		var err error
		returned := false
		defer func() {
			if v := recover(); v != nil {
				err = recovered(v)
			} else if !returned {
				err = recovered("the handler ended its goroutine") // by runtime.Goexit
			}
			ended <- err
		}()
		err = handle(limited)
		returned = true
	}()
	select {
	case err := <-ended:
		return causeOf(limited, err)
	case <-s.Lost():
		cancel(fsm.ErrLockLost)
	case <-limited.Done():
	}
	return t.outlast(limited, calls, ended)
}

// outlast gives a cancelled handler the grace period, then closes its calls.
func (t *task) outlast(ctx context.Context, calls *api.Calls, ended <-chan error) error {
	grace, stop := context.WithTimeout(context.WithoutCancel(ctx), t.r.cfg.Grace)
	defer stop()
	select {
	case err := <-ended:
		if err == nil && !errors.Is(context.Cause(ctx), fsm.ErrLockLost) {
			return nil // the commit decides whether that counts
		}
		return causeOf(ctx, errors.Join(context.Cause(ctx), err))
	case <-grace.Done():
		calls.Close(ErrAbandoned)
		t.r.metrics.abandoned.Inc()
		t.r.log.ErrorContext(ctx, "handler ignores its cancelled context and is abandoned", t.attrs()...)
		return causeOf(ctx, context.Cause(ctx))
	}
}

// causeOf adds why a handler's context ended to an error that only says that it did.
func causeOf(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return err
}

// recovered makes the same error of a panic as the router does.
func recovered(v any) error { return bot.Recovered(v) }
