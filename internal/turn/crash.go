package turn

import (
	"context"
	"errors"
	"fmt"

	"github.com/chatlane/chatlane/internal/fsm"
)

// A handler may end its process by a panic in its own goroutine, or by using up the memory. No
// error reports that and no attempt is counted, so the update would end one worker after the
// other: docs/decisions/0006-updates-that-end-their-worker.md.
//
// So before the handler of an update that an earlier owner may have begun, the journal gets a start
// marker: the number of starts in a row that nobody ended. The commit removes it, a failed attempt
// voids it, a turn that waits or is left counts it down. A first delivery gets none and costs nothing.
//
// A worker that was cut off mid-turn is alive but cannot delete its start marker. It does not count its own
// start when the update comes back; up to maxOwn times, since the update may stall its worker each time.
//
// All updates under way are marked when a worker dies, so several starts only make a suspect. A
// worker runs one suspect at a time: from then on only the guilty update dies with its worker.
const (
	startsIndex = -1 // of the marker in the journal; no call has it
	suspectFrom = 2  // starts in a row that nobody ended
	maxStarts   = 5  // then the update is a dead letter
	maxOwn      = 50 // starts of its own that a worker does not count
)

// ErrCrashed means that the worker died each time that the update was under way.
var ErrCrashed = errors.New("update was begun again and again, and its worker died each time")

// suspect writes the start marker, and lets one suspect run at a time.
func (t *task) suspect(ctx context.Context) (progress, error) {
	n := unendedStarts(t.session)
	if !t.d.Inherited && n == 0 {
		return goOn, nil
	}
	n -= t.r.results.of(t.position()).ownStarts(t.session)
	switch {
	case n >= maxStarts:
		return goOn, fmt.Errorf("%w: %d times", ErrCrashed, n)
	case n >= suspectFrom:
		if err := t.r.awaitSuspects(ctx); err != nil {
			return goOn, err
		}
		t.alone = true
	}
	t.r.results.of(t.position()).startBegan(t.session) // before the write, whose answer may be lost
	if err := writeStarts(ctx, t.session, n+1); err != nil {
		return goOn, err
	}
	t.marked = true
	return goOn, nil
}

// awaitSuspects waits until no other suspect runs here, urgent runs included. A receive from r.suspects leaves.
func (r *Runner) awaitSuspects(ctx context.Context) error {
	select {
	case r.suspects <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// removeStartMarker counts the start down: the worker that leaves the turn is alive.
func (t *task) removeStartMarker(ctx context.Context) {
	if !t.marked || t.session == nil {
		return
	}
	t.marked = false
	ctx, cancel := fsm.CleanUp(ctx)
	defer cancel()
	// Without the lock the marker stays: other workers count it as one start.
	if writeStarts(ctx, t.session, unendedStarts(t.session)-1) == nil {
		t.r.results.of(t.position()).startEnded()
	}
}

// unendedStarts counts the starts in a row that ended in no commit, no failure and no leaving.
func unendedStarts(s *fsm.Session) int {
	raw, ok := s.Recall(startsIndex)
	var n, attempts int
	if _, err := fmt.Sscanf(string(raw), "%d %d", &n, &attempts); !ok || err != nil || attempts != s.Attempts() {
		return 0
	}
	return n
}

func writeStarts(ctx context.Context, s *fsm.Session, starts int) error {
	return s.Record(ctx, startsIndex, fmt.Appendf(nil, "%d %d", starts, s.Attempts()))
}
