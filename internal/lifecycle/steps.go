// Package lifecycle starts and stops a process's parts: stop steps in reverse order, and waiting with backoff
// for servers.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// Steps are a process's stop steps. The zero value is ready to use. Not safe for concurrent use.
type Steps struct {
	Log *slog.Logger // takes a line for each step; nil: none

	all []step
}

type step struct {
	name string
	stop func(context.Context) error
}

// OnStop adds a step. Stop runs it before those added earlier.
func (s *Steps) OnStop(name string, stop func(context.Context) error) {
	s.all = append(s.all, step{name, stop})
}

// Stop runs every step, last one first, also when ctx has ended, and joins their errors with the steps'
// names. All steps share the time limit; one that fails holds back no other. A second Stop does nothing.
func (s *Steps) Stop(ctx context.Context, within time.Duration) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	all := s.all
	s.all = nil
	var failed []error
	for _, st := range slices.Backward(all) {
		began := time.Now()
		err := st.stop(ctx)
		if err != nil {
			failed = append(failed, fmt.Errorf("stop %s: %w", st.name, err))
		}
		if s.Log != nil {
			s.Log.InfoContext(ctx, "stopped",
				slog.String("step", st.name), slog.Duration("took", time.Since(began)), slog.Bool("ok", err == nil))
		}
	}
	return errors.Join(failed...)
}
