// Package lifecycle starts and stops the parts of a process in order: named stop
// steps that run in reverse, and waiting with backoff for a server that is not there yet.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// Steps are the stop steps of a process, in the order in which its parts started.
// The zero value is ready to use. Not safe for concurrent use.
type Steps struct {
	Log *slog.Logger // takes a line for each step; nil: none

	all []step
}

type step struct {
	name string
	stop func(context.Context) error
}

// OnStop adds a step. Stop runs it before all steps that were added earlier.
func (s *Steps) OnStop(name string, stop func(context.Context) error) {
	s.all = append(s.all, step{name, stop})
}

// Stop runs every step, last one first, and joins their errors, each with the step's
// name. All steps share the time limit; a step that fails or is late holds back no other.
// The steps still run when ctx has ended. A second Stop does nothing.
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
