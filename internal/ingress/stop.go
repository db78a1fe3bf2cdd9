package ingress

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// steps are what stopping consists of, in reverse order of their starting.
type steps struct {
	log *slog.Logger
	all []step
}

type step struct {
	name string
	stop func(context.Context) error
}

func (s *steps) add(name string, stop func(context.Context) error) {
	s.all = append(s.all, step{name, stop})
}

// run takes every step, each with what is left of the time, and joins their errors.
func (s *steps) run(ctx context.Context, within time.Duration) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	var failed []error
	for _, st := range slices.Backward(s.all) {
		began := time.Now()
		err := st.stop(ctx)
		if err != nil {
			failed = append(failed, fmt.Errorf("stop %s: %w", st.name, err))
		}
		s.log.InfoContext(ctx, "stopped", slog.String("step", st.name), slog.Duration("took", time.Since(began)), slog.Bool("ok", err == nil))
	}
	return errors.Join(failed...)
}
