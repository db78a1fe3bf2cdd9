package lifecycle_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatlane/chatlane/internal/lifecycle"
)

func TestStepsStopInReverseOrderWithAllErrors(t *testing.T) {
	var out bytes.Buffer
	var order []string
	s := lifecycle.Steps{Log: slog.New(slog.NewTextHandler(&out, nil))}
	for _, name := range []string{"first", "second", "third"} {
		s.OnStop(name, func(context.Context) error {
			order = append(order, name)
			if name == "first" {
				return nil
			}
			return errors.New("no " + name)
		})
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	err := s.Stop(ended, time.Second)
	if want := []string{"third", "second", "first"}; !slices.Equal(order, want) {
		t.Errorf("stopped in the order %v, want %v", order, want)
	}
	if want := "stop third: no third\nstop second: no second"; err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
	if strings.Count(out.String(), "ok=false") != 2 || !strings.Contains(out.String(), "step=first") {
		t.Errorf("logged:\n%s", &out)
	}
	if err := s.Stop(t.Context(), time.Second); err != nil || len(order) != 3 {
		t.Errorf("a second stop: %v, %v", err, order)
	}
}

func TestLateStepHoldsBackNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stopped := false
		var s lifecycle.Steps
		s.OnStop("first", func(context.Context) error { stopped = true; return nil })
		s.OnStop("late", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		began := time.Now()
		err := s.Stop(t.Context(), time.Minute)
		if took := time.Since(began); !stopped || took != time.Minute || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after %v: %v, first step done %v", took, err, stopped)
		}
	})
}

func TestAwaitTriesUntilItWorksAndTellsEachReasonOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reasons []string
		tries := 0
		b := lifecycle.Backoff{Most: time.Minute, Waiting: func(err error) { reasons = append(reasons, err.Error()) }}
		began := time.Now()
		err := b.Await(t.Context(), func(context.Context) error {
			tries++
			switch {
			case time.Since(began) < time.Minute:
				return errors.New("away")
			case time.Since(began) < time.Hour: // longer than the library's own limit of 15 minutes
				return errors.New("starting")
			}
			return nil
		})
		if err != nil || !slices.Equal(reasons, []string{"away", "starting"}) || tries < 60 || tries > 90 {
			t.Errorf("%v after %d attempts, reasons %v", err, tries, reasons)
		}
	})
}

func TestAwaitEndsWithAFinalErrorOrItsContext(t *testing.T) {
	final := errors.New("another topology")
	b := lifecycle.Backoff{First: time.Millisecond, Final: func(err error) bool { return errors.Is(err, final) }}
	tries := 0
	if err := b.Await(t.Context(), func(context.Context) error { tries++; return final }); !errors.Is(err, final) || tries != 1 {
		t.Errorf("%v after %d attempts, want %v after one", err, tries, final)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := b.Await(ctx, func(context.Context) error { cancel(); return errors.New("away") })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want the end of the context", err)
	}
}
